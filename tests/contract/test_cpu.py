"""Cores that may be used."""

import os
from pathlib import Path

import pytest

from contract.cpu import cores


@pytest.fixture
def many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(16)))


@pytest.mark.usefixtures("many_cores")
@pytest.mark.parametrize(
    ("quota", "found"),
    [("150000 100000", 2), ("50000 100000", 1), ("400000 100000", 4), ("max 100000", 16), ("rubbish", 16)],
)
def test_the_quota_of_cgroup_v2_limits_the_cores(tmp_path: Path, quota: str, found: int) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert cores(tmp_path) == found


@pytest.mark.usefixtures("many_cores")
@pytest.mark.parametrize(("quota", "found"), [("300000", 3), ("-1", 16)])
def test_the_quota_of_cgroup_v1_limits_the_cores(tmp_path: Path, quota: str, found: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    assert cores(tmp_path) == found


@pytest.mark.usefixtures("many_cores")
def test_without_a_cgroup_the_affinity_mask_counts(tmp_path: Path) -> None:
    assert cores(tmp_path) == 16
