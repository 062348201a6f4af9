"""docs/triton.md: raw tensors over HTTP and gRPC straight to Triton give the model's own numbers."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from contract.model import MelInput
from demo import shipped
from gateway.recordings.frontend import MelFrontend
from tests.docs.examples import Example, examples, run
from tests.gateway import stand
from tests.launch import Triton

pytestmark = pytest.mark.stack

MAKE, HTTP, GRPC, CURL = examples("triton.md")


@pytest.fixture(scope="module")
def expected(demo_model: stand.Model) -> list[float]:
    """Position and uncertainty by onnxruntime alone."""
    wanted = demo_model.contract.input
    assert isinstance(wanted, MelInput)
    row = MelFrontend(wanted.frontend)(np.load(shipped.SAMPLES / "00.npy"))
    (position,), (uncertainty,) = demo_model.run(row[np.newaxis])
    return [*position.tolist(), *uncertainty.tolist()]


@pytest.mark.parametrize("example", [HTTP, GRPC], ids=str)
def test_a_raw_tensor_gives_the_models_own_numbers(
    example: Example, triton: Triton, expected: list[float], folder: Path
) -> None:
    shutil.copytree(shipped.HERE / "models", folder / "demo" / "models", dirs_exist_ok=True)
    addresses = {"127.0.0.1:8000": triton.http, "127.0.0.1:8001": triton.grpc}
    run(MAKE, folder, addresses)
    printed = run(example, folder, addresses)
    numbers = [float(one) for one in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", printed)]
    assert numbers == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_version_describes_itself(triton: Triton, demo_model: stand.Model, folder: Path) -> None:
    printed = run(CURL, folder, {"127.0.0.1:8000": triton.http})
    for name in ("mel_spectrogram", "positions", "uncertainties", '"1"'):
        assert name in printed
