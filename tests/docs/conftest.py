"""What the pages talk about: the demo model in a real Triton, behind a real gateway."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.model import parse
from demo import shipped
from tests.gateway import stand
from tests.gateway.gateway_process import gateway_process
from tests.launch import Triton


@pytest.fixture(scope="session")
def demo_model(triton: Triton) -> stand.Model:
    """Version 1 of the demo model, served by Triton."""
    version = shipped.VERSIONS[0]
    contract = parse(version.contract.read_bytes())
    model = stand.Model(shipped.MODEL_NAME, 1, version.model.read_bytes(), contract, (3, 128, 32))
    stand.publish(triton, model)
    return model


@pytest.fixture(scope="module")
def demo_gateway(
    redis_url: str, triton: Triton, demo_model: stand.Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of a gateway that serves it."""
    served = demo_model.served(sigma_scale=demo_model.contract.output.uncertainty.sigma_scale)
    stand.announce(redis_url, stand.catalogue(stand.served_model(served, name=demo_model.name)))
    environment = {"FIXGATE_REDIS_URL": redis_url, "FIXGATE_TRITON_GRPC": triton.grpc}
    with gateway_process(tmp_path_factory.mktemp("gateway"), environment) as url:
        yield url


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples are run, with the demo's recordings in it."""
    found = tmp_path_factory.mktemp("reader")
    shutil.copytree(shipped.SAMPLES, found / "demo" / "samples")
    return found
