"""sync and `fixgate register` against a real MLflow 2.22 server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.errors import RegistryUnavailable
from sync.webhook_setup import register as register_webhook
from tests import launch
from tests.sync import mlflow2, models
from tests.sync.conftest import unique
from tests.sync.rig import Rig, rig

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module", params=[True, False], ids=["proxied artifacts", "artifacts on a path"])
def mlflow2_uri(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow2.server(tmp_path_factory.mktemp("mlflow-2"), proxied=request.param) as uri:
        yield uri


@pytest.fixture
def rig2(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    mlflow2_uri: str,
    empty_redis: str,
    own_triton: launch.Triton,
) -> Iterator[Rig]:
    with rig(unique(request.node.originalname), tmp_path, mlflow2_uri, empty_redis, own_triton) as made:
        yield made


def test_register_serve_switch_and_refuse_work_on_mlflow_2(rig2: Rig) -> None:
    rig2.register(1, "champion", tags={"note": "first"}, metrics={"accuracy": 0.5})
    rig2.settle()
    assert rig2.answer(1)[0] == pytest.approx(45.01, abs=1e-4)
    assert rig2.served is not None
    assert rig2.served.versions[0].metrics == {"accuracy": 0.5}
    assert rig2.tags(1)["fixgate.status"] == "ready"
    assert rig2.register_files(models.localiser(2, width=5), "champion") == 2
    rig2.settle()
    assert rig2.tags(2)["fixgate.status"] == "rejected"
    assert rig2.champion == 1
    assert rig2.register_files(models.localiser(3), "champion") == 3
    rig2.run_until(lambda: rig2.champion == 3)
    rig2.settle()
    assert rig2.client.get_registered_model(rig2.name).tags["fixgate.champions"] == "3,1"
    rig2.alias("champion", 1)
    rig2.run_until(lambda: rig2.champion == 1)


def test_stages_serve_on_mlflow_2(rig2: Rig) -> None:
    one = rig2.register_files(models.localiser(1))
    two = rig2.register_files(models.localiser(2))
    for number, stage in ((one, "Production"), (two, "Staging")):
        with pytest.warns(FutureWarning):
            rig2.client.transition_model_version_stage(rig2.name, str(number), stage)
    rig2.run_until(lambda: rig2.numbers == [1, 2])
    assert rig2.served is not None
    assert rig2.served.aliases == {"candidate": 2, "champion": 1}


def test_a_server_without_webhooks_is_said_to_have_none(mlflow2_uri: str) -> None:
    with pytest.raises(RegistryUnavailable, match="takes no webhook"):
        register_webhook(mlflow2_uri, "http://127.0.0.1:8081/webhooks/mlflow", "secret")
