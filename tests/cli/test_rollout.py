"""`fixgate rollout`, against a gateway that gives the answers of these tests."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.test_client import Answer, server

RUN = CliRunner()
ROUTING = {"model": "loc", "aliases": {"champion": "1"}}


def rollout(phase: str, share: float = 0.0, **fields: Any) -> dict[str, Any]:
    common = {"model": "loc", "version": "2", "step": 0, "paused": False, "reason": "because"}
    return {**common, "phase": phase, "share": share, **fields}


def answer(document: dict[str, Any], status: int = 200) -> Answer:
    return status, {}, json.dumps(document).encode()


def run(url: str, *arguments: str) -> Result:
    return RUN.invoke(app, ["rollout", "loc", *arguments, "--url", url])


def test_a_dry_run_prints_the_plan_and_begins_nothing() -> None:
    with server(answer(ROUTING)) as (url, asked):
        ended = run(url, "2", "--steps", "5,50", "--every", "90s", "--max-shift", "off", "--dry-run")
    assert ended.stdout.splitlines() == [
        "loc: version 2 beside the champion, version 1",
        "      5 % for 1m30s and 200 requests",
        "     50 % for 1m30s and 200 requests",
        "  promote",
        "guards: max_error_rate 0.01, max_p95_ms 500",
    ]
    assert [one["method"] for one in asked] == ["GET"]


def test_a_rollout_is_begun_with_its_plan() -> None:
    with server(answer(ROUTING), answer(rollout("waiting"))) as (url, asked):
        ended = run(
            url, "2", "--steps", "5,50", "--every", "1m", "--max-p95-ms", "off", "--min-requests", "9"
        )
    assert (ended.exit_code, asked[1]["method"], asked[1]["path"]) == (0, "POST", "/models/loc/rollout")
    assert json.loads(asked[1]["body"]) == {
        "version": "2",
        "steps": [5.0, 50.0],
        "every_s": 60.0,
        "guards": {"max_error_rate": 0.01, "max_p95_ms": None, "max_shift": 0.5, "min_requests": 9},
    }
    assert "Z  loc version 2: waits until it is served" in ended.stdout


def test_a_rollout_is_followed_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.rollout.POLL_S", 0.0)
    told = [rollout("running", 0.05), rollout("running", 0.05), rollout("running", 0.5, step=1)]
    for end, code in (("promoted", 0), ("failed", 1)):
        with server(*map(answer, (*told, rollout(end)))) as (url, _):
            ended = run(url, "--watch")
        assert [line.split(": ", 1)[1] for line in ended.stdout.splitlines()] == [
            "5 % of the traffic",
            "50 % of the traffic",
            f"{end}: because",
        ]
        assert ended.exit_code == code


@pytest.mark.parametrize(
    ("option", "method", "body"),
    [("--pause", "PATCH", b'{"action": "pause"}'), ("--resume", "PATCH", b'{"action": "resume"}'),
     ("--abort", "DELETE", b"")],
)  # fmt: skip
def test_a_rollout_is_paused_resumed_and_aborted(option: str, method: str, body: bytes) -> None:
    with server(answer(rollout("running", 0.05, paused=True))) as (url, asked):
        ended = run(url, option)
    assert [(one["method"], one["body"]) for one in asked] == [(method, body)]
    assert "5 % of the traffic, paused" in ended.stdout


def test_what_the_gateway_refuses_is_told() -> None:
    with server(answer({"detail": "no rollout is under way"}, 409)) as (url, _):
        ended = run(url, "--pause")
    assert (ended.exit_code, "no rollout is under way (409)" in ended.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["2", "--abort"], "give one of"),
        (["2", "--steps", "50,5"], "steps must ascend"),
        (["2", "--steps", "all"], "could not convert"),
        (["2", "--every", "often"], "is no duration"),
        (["2", "--max-error-rate", "2"], "<= 1"),
    ],
)
def test_plans_that_make_no_sense_are_refused(arguments: list[str], said: str) -> None:
    ended = RUN.invoke(app, ["rollout", "loc", *arguments], env={"COLUMNS": "300"})
    assert (ended.exit_code, said in ended.stderr) == (2, True), ended.stderr
