"""`fixgate route`, against a gateway that gives the answers of these tests."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.test_client import Answer, server

RUN = CliRunner()
ALONE = {"source": "champion", "etag": "e0", "weights": {"champion": 100.0}, "shares": {"1": 1.0}}
SPLIT = {
    "source": "tag",
    "etag": "e1",
    "weights": {"champion": 90.0, "candidate": 10.0},
    "shares": {"1": 0.9, "2": 0.1},
}
BRIEF = {
    **SPLIT,
    "source": "temporary",
    "expires_at": "2026-01-01T00:10:00.000Z",
    "then": {"champion": 100.0},
}


def answer(document: dict[str, Any], status: int = 200) -> Answer:
    return status, {}, json.dumps(document).encode()


def run(url: str, *arguments: str) -> Result:
    return RUN.invoke(app, ["route", "loc", *arguments, "--url", url])


def test_weights_are_put_in_force_and_told_before_and_after() -> None:
    with server(answer(ALONE), answer(SPLIT)) as (url, asked):
        ended = run(url, "champion=90", "candidate=10")
    assert ended.stdout.splitlines() == [
        "before  champion=100: version 1 100 % (no weights are set)",
        "after   champion=90 candidate=10: version 1 90 %, version 2 10 %",
    ]
    put = asked[1]
    assert (put["method"], put["path"]) == ("PUT", "/models/loc/routing")
    assert put["headers"]["If-Match"] == '"e0"'
    assert json.loads(put["body"]) == {"weights": {"champion": 90.0, "candidate": 10.0}}


def test_weights_for_a_while_say_until_when() -> None:
    with server(answer(ALONE), answer(BRIEF)) as (url, asked):
        ended = run(url, "champion=90", "candidate=10", "--expires-in", "10m")
    assert json.loads(asked[1]["body"])["expires_in_s"] == 600
    assert "(until 2026-01-01T00:10:00.000Z, then champion=100)" in ended.stdout


def test_without_weights_what_is_in_force_is_shown() -> None:
    with server(answer({**SPLIT, "source": "rollout"})) as (url, asked):
        ended = run(url)
        assert json.loads(run(url, "--json").stdout)["weights"] == SPLIT["weights"]
    assert ended.stdout == "champion=90 candidate=10: version 1 90 %, version 2 10 % (by a rollout)\n"
    assert {one["method"] for one in asked} == {"GET"}


def test_weights_are_taken_away() -> None:
    with server(answer(SPLIT), answer(ALONE)) as (url, asked):
        assert run(url, "--clear").exit_code == 0
    assert (asked[1]["method"], asked[1]["headers"]["If-Match"]) == ("DELETE", '"e1"')


def test_what_the_gateway_refuses_is_told() -> None:
    with server(answer(ALONE), answer({"detail": "a rollout is under way"}, 409)) as (url, _):
        ended = run(url, "champion=1")
    assert (ended.exit_code, "a rollout is under way (409)" in ended.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["champion"], "write NAME=WEIGHT"),
        (["=1"], "write NAME=WEIGHT"),
        (["champion=all"], "write NAME=WEIGHT"),
        (["champion=1", "--expires-in", "soon"], "is no duration"),
        (["--expires-in", "5m"], "goes with weights"),
        (["champion=1", "--clear"], "goes without weights"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: list[str], said: str) -> None:
    ended = RUN.invoke(app, ["route", "loc", *arguments], env={"COLUMNS": "300"})
    assert (ended.exit_code, said in ended.stderr) == (2, True), ended.stderr
