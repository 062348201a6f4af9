"""Steps 4 to 7 against a Triton that does what the test says: late, failing, answering wrongly."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from sync import pbtxt
from sync.errors import Refused, TritonLost, TritonUnavailable
from sync.folder_repository import FolderRepository
from sync.publication import Publisher, Stopped
from sync.settings import Settings
from sync.triton import Triton, VersionState
from tests.sync import makers
from tests.sync.fakes import READY, FakeTriton, staged
from tests.sync.makers import INPUTS, OUTPUTS, SETTINGS, registered


@pytest.fixture
def repo(tmp_path: Path) -> FolderRepository:
    made = FolderRepository(tmp_path / "models", tmp_path / "staging")
    made.prepare()
    return made


def publisher(
    repo: FolderRepository, *tritons: FakeTriton, timeout_s: float = 5.0, stop: bool = False
) -> Publisher:
    return Publisher(repo, cast(tuple[Triton, ...], tritons), timeout_s, lambda _seconds: stop)


def publish(repo: FolderRepository, number: int, *tritons: FakeTriton, **options: Any) -> None:
    publisher(repo, *tritons, **options).publish(
        "loc", number, makers.record(registered(number)), staged(repo, number), SETTINGS
    )


def configured(repo: FolderRepository) -> tuple[int, ...]:
    config = repo.read_config("loc")
    return config.versions if config else ()


def test_versions_are_placed_committed_and_proved_one_after_the_other(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    publish(repo, 2, triton)
    assert configured(repo) == (1, 2)
    assert triton.asked == [1, 2, 8, 1, 2, 8]


def test_every_triton_is_asked(repo: FolderRepository) -> None:
    tritons = [FakeTriton(repo, "a:8000"), FakeTriton(repo, "b:8000")]
    publish(repo, 1, *tritons)
    assert all(one.asked for one in tritons)


def test_nothing_is_left_in_staging(repo: FolderRepository) -> None:
    publish(repo, 1, FakeTriton(repo))
    assert list(repo.staging.iterdir()) == []


def test_what_is_done_already_is_not_done_again(
    repo: FolderRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    monkeypatch.setattr(repo, "write_config", lambda _config: pytest.fail("the config was in place"))
    publisher(repo, triton).publish("loc", 1, makers.record(registered(1)), None, SETTINGS)
    assert triton.asked == [1, 2, 8, 1, 2, 8]


def test_a_version_in_place_that_the_config_does_not_name_is_committed(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    repo.add_version("loc", 2, staged(repo, 2))
    publisher(repo, triton).publish("loc", 2, makers.record(registered(2)), None, SETTINGS)
    assert configured(repo) == (1, 2)


def failing(number: int) -> VersionState:
    return VersionState("UNAVAILABLE", "out of memory") if number == 2 else READY


def test_a_version_that_triton_cannot_load_is_taken_out_again(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    triton.state = failing
    with pytest.raises(Refused, match="out of memory") as refused:
        publish(repo, 2, triton)
    assert refused.value.fault == "triton"
    assert configured(repo) == (1,)
    assert not repo.version_folder("loc", 2).exists()


def test_a_first_version_that_triton_cannot_load_takes_its_model_with_it(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    triton.state = lambda _number: VersionState("UNAVAILABLE", "no")
    with pytest.raises(Refused):
        publish(repo, 1, triton)
    assert list(repo.root.iterdir()) == []


def test_a_failure_from_before_does_not_count_against_a_new_try(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    repo.add_version("loc", 2, staged(repo, 2))
    repo.write_config(pbtxt.render("loc", SETTINGS, INPUTS, OUTPUTS, (1, 2)))
    states = iter([failing(2)] * 3 + [READY] * 99)
    triton.state = lambda number: next(states) if number == 2 else READY
    publisher(repo, triton).publish("loc", 2, makers.record(registered(2)), None, SETTINGS)
    assert configured(repo) == (1, 2)


def test_a_version_that_never_becomes_ready_is_refused_after_the_config_was_written_once_more(
    repo: FolderRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    triton.state = lambda number: VersionState("LOADING") if number == 2 else READY
    written: list[tuple[int, ...]] = []
    real = repo.write_config

    def write(config: pbtxt.ServingConfig) -> None:
        written.append(config.versions)
        real(config)

    monkeypatch.setattr(repo, "write_config", write)
    with pytest.raises(Refused, match=r"not ready within 0\.2 s on t:8000"):
        publish(repo, 2, triton, timeout_s=0.2)
    assert written == [(1, 2), (1, 2), (1,)]


def test_a_triton_that_is_down_is_not_the_versions_fault(repo: FolderRepository) -> None:
    up, down = FakeTriton(repo, "a:8000"), FakeTriton(repo, "b:8000")
    down.up = False
    with pytest.raises(TritonUnavailable):
        publish(repo, 1, up, down, timeout_s=0.2)
    assert configured(repo) == (1,)


@pytest.mark.parametrize("when", ["loading", "proving"])
def test_a_version_over_which_triton_falls_is_taken_out_again(repo: FolderRepository, when: str) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    if when == "loading":
        triton.state = fall_over(triton)
    else:
        triton.dies_at = 8
    with pytest.raises(TritonLost, match="stopped answering while this was loaded or tried"):
        publish(repo, 2, triton, timeout_s=0.2)
    assert configured(repo) == (1,)
    assert not repo.version_folder("loc", 2).exists()


def fall_over(triton: FakeTriton) -> Callable[[int], VersionState]:
    def state(number: int) -> VersionState:
        if number == 2:
            triton.up = False
            raise TritonUnavailable("down")
        return READY

    return state


@pytest.mark.parametrize("trouble", ["late", "fails", "falls"])
def test_a_version_that_is_serving_is_only_taken_out_for_other_answers(
    repo: FolderRepository, trouble: str
) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    if trouble == "late":
        triton.state = lambda _number: VersionState("LOADING")
    elif trouble == "fails":
        triton.fails = True
    else:
        triton.dies_at = 8
    again = partial(publisher(repo, triton, timeout_s=0.2).publish, "loc", 1, makers.record(registered(1)))
    with pytest.raises(TritonUnavailable):
        again(None, SETTINGS, serving=True)
    assert configured(repo) == (1,)
    triton.state, triton.fails, triton.dies_at, triton.offset = lambda _number: READY, False, None, 1.0
    with pytest.raises(Refused, match="differs from preflight's"):
        again(None, SETTINGS, serving=True)
    assert configured(repo) == ()


def test_answers_that_are_not_preflights_take_the_version_out(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    triton.offset = 0.1
    with pytest.raises(Refused, match=r"differs from preflight's by up to 0\.1") as refused:
        publish(repo, 1, triton)
    assert refused.value.fault == "proof"
    assert list(repo.root.iterdir()) == []


def test_answers_within_the_tolerance_pass(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    triton.offset = 1e-5
    publish(repo, 1, triton)


def test_a_request_that_triton_fails_takes_the_version_out(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    triton.fails = True
    with pytest.raises(Refused, match=r"fails a batch of 1: .*cuda error") as refused:
        publish(repo, 1, triton)
    assert refused.value.fault == "triton"


def test_a_process_that_ends_leaves_the_version_for_the_next(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    triton.state = lambda _number: VersionState("LOADING")
    with pytest.raises(Stopped):
        publish(repo, 1, triton, stop=True)
    assert configured(repo) == (1,)


SMALLER = Settings(max_batch_size=4, instances=2, threads=1)


def test_other_settings_are_proved_for_every_version(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    publish(repo, 2, triton)
    triton.asked.clear()
    assert publisher(repo, triton).reconfigure("loc", SMALLER) == (1, 2)
    assert triton.asked == [1, 2, 4, 1, 2, 4]


def test_settings_over_which_triton_falls_are_put_back(repo: FolderRepository) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    before = repo.read_config("loc")
    triton.dies_at = 4
    with pytest.raises(TritonLost):
        publisher(repo, triton).reconfigure("loc", SMALLER)
    assert repo.read_config("loc") == before


@pytest.mark.parametrize("trouble", ["failing", "stuck", "wrong"])
def test_settings_that_do_not_work_are_put_back(repo: FolderRepository, trouble: str) -> None:
    triton = FakeTriton(repo)
    publish(repo, 1, triton)
    before = repo.read_config("loc")
    if trouble == "failing":
        triton.state = lambda _number: VersionState("UNAVAILABLE", "out of memory")
    elif trouble == "stuck":
        triton.stuck_on = SETTINGS
    else:
        triton.offset = 1.0
    with pytest.raises(Refused):
        publisher(repo, triton, timeout_s=0.2).reconfigure("loc", SMALLER)
    assert repo.read_config("loc") == before
    assert repo.version_folder("loc", 1).is_dir()
