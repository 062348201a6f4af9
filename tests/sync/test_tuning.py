"""Settings by measurement, and put in force without a gap."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest
from tritonclient.utils import InferenceServerException

from sync import pbtxt, tuning
from sync.errors import Refused, TritonUnavailable
from sync.folder_repository import FolderRepository
from sync.load import Measured
from sync.settings import Settings, dump_tag
from sync.tuning import Terms, Trial, candidates, choose
from tests.sync import fakes, makers, models
from tests.sync.makers import INPUTS, OUTPUTS, SETTINGS, registered
from tests.sync.rig import Rig, again
from tests.sync.undertaker import environment


def trial(size: int, rows: float, p95: float, failures: int = 0) -> Trial:
    return Trial(Settings(size, 1, 1), Measured(rows, p95 / 2, p95, failures))


def test_the_highest_throughput_within_the_goal_is_chosen() -> None:
    trials = [trial(1, 100, 50), trial(8, 300, 400), trial(32, 500, 900), trial(16, 400, 10, failures=1)]
    assert choose(trials, 500) == trials[1]


def test_when_none_meets_the_goal_the_quickest_is_chosen() -> None:
    trials = [Trial(Settings(1, 1, 1), None, "out of memory"), trial(8, 300, 900), trial(4, 100, 700)]
    assert choose(trials, 500) == trials[2]
    assert choose(trials[:1], 500) is None


def test_the_cores_are_tried_in_one_instance_and_shared() -> None:
    tried = [(one.instances, one.threads) for one in candidates(4, "cpu", (1,))]
    assert tried == [(1, 4), (2, 2), (4, 1)]
    assert [(one.instances, one.threads) for one in candidates(1, "cpu", (1,))] == [(1, 1)]
    assert {one.kind for one in candidates(2, "gpu", (1,))} == {"gpu"}


@pytest.fixture
def repository(tmp_path: Path) -> FolderRepository:
    """One with a model `loc`, version 1."""
    made = FolderRepository(tmp_path / "models", tmp_path / "staging")
    made.prepare()
    made.add_model(pbtxt.render("loc", SETTINGS, INPUTS, OUTPUTS, (1,)), 1, fakes.staged(made, 1))
    return made


def test_a_copy_that_is_only_just_there_is_taken_out_again(
    repository: FolderRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add_trial(config: pbtxt.ServingConfig, _known: object) -> None:
        (repository.root / config.name).mkdir()
        raise SystemExit(143)

    monkeypatch.setattr(repository, "add_trial", add_trial)
    live = repository.observe().models["loc"]
    bench = tuning._Bench(
        repository, cast(Any, None), live, makers.record(registered(1)), Terms(), load_timeout_s=1.0
    )
    with pytest.raises(SystemExit):
        bench.try_out(Settings(2, 1, 1))
    assert [path.name for path in repository.root.iterdir()] == ["loc"]


def test_a_model_that_sync_serves_is_no_leftover_whatever_its_name(repository: FolderRepository) -> None:
    served = pbtxt.render("fixgate-tune-net", SETTINGS, INPUTS, OUTPUTS, (1,))
    repository.add_model(served, 1, fakes.staged(repository, 1))
    (repository.root / "fixgate-tune-left" / "1").mkdir(parents=True)
    copy = pbtxt.trial(served, "fixgate-tune-copy", SETTINGS)
    (repository.root / copy.name).mkdir()
    (repository.root / copy.name / pbtxt.NAME).write_text(copy.text)
    tuning._clear_leftovers(repository)
    assert {path.name for path in repository.root.iterdir()} == {"loc", "fixgate-tune-net"}


@pytest.mark.stack
def test_sigterm_ends_a_measurement_and_the_copy_is_out_again(sync_rig: Rig) -> None:
    sync_rig.register_files(models.localiser(1), "champion")
    sync_rig.settle()
    root = sync_rig.triton.repository
    command = [sys.executable, "-m", "cli", "tune", sync_rig.name, "--seconds", "600"]
    variables = {**os.environ, **environment(sync_rig)}
    with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not list(root.glob("fixgate-tune-*")):
            assert time.monotonic() < deadline
        process.terminate()
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert [path.name for path in root.iterdir()] == [sync_rig.name]


@pytest.mark.stack
def test_settings_are_measured_beside_the_model_that_serves_and_put_in_force_without_a_gap(
    sync_rig: Rig,
) -> None:
    for seed in (1, 2):
        sync_rig.register_files(models.localiser(seed), "champion")
        sync_rig.run_until(lambda seed=seed: sync_rig.champion == seed)  # type: ignore[misc]
    sync_rig.settle()
    (sync_rig.triton.repository / "fixgate-tune-left" / "1").mkdir(parents=True)
    told: list[Trial] = []
    tried = tuning.tune(
        sync_rig.config,
        sync_rig.name,
        iter([Settings(2, 1, 1), Settings(8, 1, 1), Settings(8, 1, 1, "gpu")]),
        Terms(clients=4, seconds=0.5),
        told.append,
    )
    assert told == tried
    assert [one.measured is not None and one.measured.rows_per_s > 0 for one in tried] == [True, True, False]
    assert tried[2].reason
    assert {path.name for path in sync_rig.triton.repository.iterdir()} == {sync_rig.name}
    for size in (2, 8):
        put_in_force(sync_rig, Settings(size, 1, 1))


def put_in_force(rig: Rig, settings: Settings) -> None:
    """Apply settings while a client asks all the time; not one answer is missing."""
    failures: list[Exception] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                rig.answer(1)
                rig.answer(2)
            except (InferenceServerException, TritonUnavailable) as error:
                failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    tuning.apply(rig.config, rig.name, settings)
    sizes = []

    def in_force() -> bool:
        assert rig.served is not None
        sizes.append(max(one.max_batch_size for one in rig.served.versions))
        live = rig.parts.watch.reconciler.repository.read_config(rig.name)
        assert live is not None
        # No gateway is ever told of a larger batch than Triton takes.
        assert sizes[-1] <= live.settings.max_batch_size
        return live.settings == settings and sizes[-1] == settings.max_batch_size

    try:
        rig.run_until(in_force)
        rig.settle()
    finally:
        done.set()
        asking.join()
    assert failures == []
    assert rig.journal("tune")[-1].message == dump_tag(settings)


@pytest.mark.stack
def test_settings_that_triton_cannot_load_are_put_back_and_the_reason_is_shown(sync_rig: Rig) -> None:
    # Triton goes on with the old settings and says nothing of the new ones: only time tells.
    rig = again(sync_rig, load_timeout_s=6.0)
    rig.register_files(models.localiser(1), "champion")
    rig.settle()
    tuning.apply(rig.config, rig.name, Settings(4, 1, 1, "gpu"))
    rig.run_until(lambda: bool(rig.journal("refuse")))
    rig.settle()
    live = rig.parts.watch.reconciler.repository.read_config(rig.name)
    assert live is not None
    assert live.settings.kind == "cpu"
    assert rig.champion == 1
    assert rig.answer(1)
    assert len(rig.journal("refuse")) == 1
    rig.stop()


@pytest.mark.stack
def test_a_model_that_is_not_served_cannot_be_measured(sync_rig: Rig) -> None:
    with pytest.raises(Refused, match="is not served"):
        tuning.tune(sync_rig.config, sync_rig.name, iter([]), Terms(), lambda _trial: None)
