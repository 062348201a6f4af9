"""The workloads' models."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from benchmarks.bodies import tensor
from benchmarks.workloads import models
from benchmarks.workloads.graph import INPUT, POSITIONS, UNCERTAINTIES
from contract import model as contracts


@pytest.mark.parametrize("build", [models.small, lambda: models.convnext((1, 1, 2, 1), (8, 16, 24, 32))])
def test_any_input_gives_a_valid_fix_and_a_batch_equals_its_items(build: object) -> None:
    assert callable(build)
    session = onnxruntime.InferenceSession(build().SerializeToString())
    rows = np.stack([np.zeros((3, 128, 32), "f"), tensor(1), tensor(2) * 100])
    names = [POSITIONS, UNCERTAINTIES]
    positions, sigmas = session.run(names, {INPUT: rows})
    assert np.isfinite(positions).all()
    assert (np.abs(positions - [45, 9]) <= 2.0001).all()
    assert ((sigmas > 0) & (sigmas < 45)).all()
    alone = session.run(names, {INPUT: rows[1:2]})
    np.testing.assert_allclose(positions[1:2], alone[0], rtol=1e-4)
    assert np.ptp(positions[:, 0]) > 1e-3


def test_convnext_tiny_has_the_papers_size(tmp_path: Path) -> None:
    """28.6 M parameters with a classifier of 0.77 M, which two small heads replace here."""
    graph = models.convnext(models.TINY_DEPTHS, models.TINY_WIDTHS).graph
    parameters = sum(int(np.prod(one.dims)) for one in graph.initializer)
    assert parameters == pytest.approx(28.6e6 - 0.77e6, rel=0.01)


def test_a_model_file_is_made_once(tmp_path: Path) -> None:
    file = models.SMALL.file(tmp_path)
    made = file.read_bytes()
    assert 0.9e6 < len(made) < 1.1e6
    before = file.stat().st_mtime_ns
    assert models.SMALL.file(tmp_path).stat().st_mtime_ns == before


@pytest.mark.parametrize("contract", [models.TENSOR_CONTRACT, models.IQ_CONTRACT])
def test_the_contracts_are_contracts(contract: dict[str, object]) -> None:
    contracts.parse(contract)
