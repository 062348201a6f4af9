"""`fixgate capacity` against a real gateway and Triton."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import MEL, Run

pytestmark = pytest.mark.stack

PATIENT_MS = 60_000
QUICK = ("--seconds", 1)


def test_the_highest_rate_allowed_is_borne_and_reported(run: Run, tmp_path: Path) -> None:
    report = tmp_path / "capacity.md"
    options = ("--up-to", 20, "--p95-ms", PATIENT_MS, "--rate", 50, "--report", report)
    result = run("capacity", MEL, *QUICK, *options)
    assert result.exit_code == 0, result.output
    assert f"{MEL} bears 20 requests/s here" in result.stdout
    assert "50/s: 3 replicas, 4 to lose one." in result.stdout
    assert "| 20.0 |" in report.read_text()
    assert report.with_suffix(".svg").read_text().startswith("<svg")


def test_an_objective_that_nothing_keeps_ends_with_status_3(run: Run) -> None:
    result = run("capacity", MEL, *QUICK, "--p95-ms", 1, "--up-to", 2, "--json")
    document = json.loads(result.stdout)
    assert {trial["borne"] for trial in document["trials"]} == {False}
    assert document["requests_per_s"] is None
    assert result.exit_code == 3


def test_an_unknown_model_is_named(run: Run) -> None:
    result = run("capacity", "nobody", *QUICK)
    assert result.exit_code == 1
    assert "nobody" in result.stderr
