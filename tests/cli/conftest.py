"""A gateway in its own process, with tiny models in a real Triton, for commands that talk to one."""

import json
from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner, Result

from cli.client import GatewayClient
from cli.main import app
from tests.gateway import stand
from tests.launch import Triton
from tests.planes import Parts, gateway_plane

MEL, ECHO = "cli-mel", "cli-echo"
ECHO_SCALE = 1.25
PATIENCE_S = 30

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def cli_models(triton: Triton) -> dict[str, stand.Model]:
    """The models, served by Triton."""
    models = {MEL: stand.mel_model(MEL, 1), ECHO: stand.echo_model(ECHO)}
    for model in models.values():
        stand.publish(triton, model)
    return models


@pytest.fixture(scope="module")
def gateway_url(
    redis_url: str,
    triton: Triton,
    cli_models: dict[str, stand.Model],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A gateway that is ready; the mel model is its default, the echo model's σ are scaled by 1.25."""
    served = [
        stand.served_model(cli_models[MEL].served(), name=MEL),
        stand.served_model(cli_models[ECHO].served(sigma_scale=ECHO_SCALE), name=ECHO),
    ]
    stand.announce(redis_url, stand.catalogue(*served))
    parts = Parts(redis_url, "http://127.0.0.1:9", triton, tmp_path_factory.mktemp("cli"))
    with gateway_plane(parts, {}) as url:
        client = GatewayClient(url, patience_s=PATIENCE_S)
        assert client.get("/ready") == {"status": "ready"}
        yield url


@pytest.fixture
def run(gateway_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `fixgate` with that gateway."""
    monkeypatch.setenv("FIXGATE_URL", gateway_url)
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)

    return invoke


def documents(result: Result) -> list[dict[str, object]]:
    """Standard output as JSON lines."""
    return [json.loads(line) for line in result.stdout.splitlines()]
