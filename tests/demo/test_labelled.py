"""The demo's recordings as a labelled set."""

from pathlib import Path

import numpy as np
import pytest

from cli.evaluation.labelled_set import open_set
from demo import labelled
from demo.dataset import SEEDS, features
from demo.scene import SCENE, simulate


def test_the_set_is_the_series_that_the_report_was_made_from(tmp_path: Path) -> None:
    labelled.main([str(tmp_path / "set"), "--count", "2"])
    written = open_set(tmp_path / "set")
    second = simulate(SCENE, SEEDS.test, 1)
    assert len(written) == 2
    assert written.truths[1].tolist() == second.position.tolist()
    np.testing.assert_array_equal(np.load(tmp_path / "set" / "features.npy")[1], features(second.iq))


def test_the_harder_scene_is_another_one(tmp_path: Path) -> None:
    labelled.main([str(tmp_path / "set"), "--count", "1"])
    labelled.main([str(tmp_path / "harder"), "--count", "1", "--harder"])
    assert open_set(tmp_path / "set").truths.tolist() != open_set(tmp_path / "harder").truths.tolist()


def test_no_recordings_are_no_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        labelled.main([str(tmp_path), "--count", "0"])
    assert "--count must be at least 1, got 0" in capsys.readouterr().err
