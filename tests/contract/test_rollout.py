"""A rollout's record: what it says, and what it refuses."""

import msgspec
import pytest

from contract import rollout
from contract.rollout import Plan, Rollout

PLAN = Plan(steps=(5, 50, 100))


def made(**fields: object) -> Rollout:
    return Rollout("r-1", 2, 1, PLAN, "me", 10.0, **fields)  # type: ignore[arg-type]


def test_it_comes_back_from_the_tag_as_it_was() -> None:
    for one in (made(), made(phase="running", step=1, since=5.0), made(phase="failed", reason="errors")):
        assert rollout.parse(rollout.dump(one)) == one


def test_its_share_is_its_steps_while_it_runs_and_none_otherwise() -> None:
    assert made().weights == {"champion": 100.0, "2": 0.0}
    assert made(phase="running", step=1).weights == {"champion": 50.0, "2": 50.0}
    assert made(phase="running", step=2, paused=True).share == 100
    assert [made(phase=phase, step=2).share for phase in ("promoted", "aborted", "failed")] == [0.0] * 3


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("steps", [], "length >= 1"),
        ("steps", [0], "> 0"),
        ("steps", [50, 101], "<= 100"),
        ("steps", [5, 5], "must ascend"),
        ("every_s", 0.5, ">= 1"),
        ("guards", {"max_error_rate": 2}, "<= 1"),
        ("guards", {"max_shift": 0}, "> 0"),
        ("guards", {"min_requests": 0}, ">= 1"),
        ("guards", {"max_p99_ms": 5}, "max_p99_ms"),
    ],
)
def test_an_impossible_plan_is_refused(field: str, value: object, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.convert({field: value}, Plan)


def test_a_tag_that_is_none_is_refused() -> None:
    for text in ("{", "{}", rollout.dump(made(phase="running", step=7))):
        with pytest.raises(ValueError, match=r"."):
            rollout.parse(text)
