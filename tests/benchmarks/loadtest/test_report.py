"""Verdicts and reports of a load test."""

import pytest

from benchmarks.loadtest import report, verdict
from benchmarks.loadtest.report import Chapter, Report
from benchmarks.loadtest.run import Outcome
from benchmarks.loadtest.verdict import Request, summary


def requests(took_ms: float, *statuses: int) -> list[Request]:
    return [Request("npy", place / 10, took_ms, status) for place, status in enumerate(statuses)]


def test_only_answers_have_latencies() -> None:
    told = summary([*requests(100.0, 200, 200), *requests(9000.0, 503, 0, 500)], seconds=2.0)
    assert (told.requests, told.good, told.refused, told.failed) == (5, 2, 1, 2)
    assert (told.per_s, told.mean_ms, told.p99_ms) == (1.0, 100.0, 100.0)


@pytest.mark.parametrize(
    ("took_ms", "statuses", "hit_rate", "missed"),
    [
        (299.0, [200], 0.81, []),
        (301.0, [200], 0.81, ["mean"]),
        (100.0, [200, 503], 0.81, ["failures"]),
        (100.0, [200, 0], 0.81, ["failures"]),
        (100.0, [200], 0.8, ["hit rate"]),
        (700.0, [200], 0.9, ["mean", "p95", "p99"]),
    ],
)
def test_the_objectives_decide(
    took_ms: float, statuses: list[int], hit_rate: float, missed: list[str]
) -> None:
    checks = verdict.normal(summary(requests(took_ms, *statuses), 1.0), hit_rate)
    assert [check.what for check in checks if not check.holds] == missed


def test_stress_may_refuse_but_neither_fail_nor_collapse() -> None:
    ordinary = summary(requests(100.0, *[200] * 10), 1.0)
    refused = summary(requests(400.0, *[200] * 8, *[503] * 90), 1.0)
    assert all(check.holds for check in verdict.stress(refused, ordinary))
    collapsed = summary(requests(4000.0, *[200] * 2, 0), 1.0)
    assert not any(check.holds for check in verdict.stress(collapsed, ordinary))


def test_a_run_without_any_answer_is_failed_not_a_crash() -> None:
    told = summary(requests(10.0, 503, 503), 1.0)
    assert not all(check.holds for check in verdict.normal(told, 0.9))
    assert not all(check.holds for check in verdict.stress(told, told))


def test_both_reports_say_the_verdict_and_the_figures() -> None:
    outcome = Outcome(100, 1.0, requests(120.0, *[200] * 10), 0.9)
    good = Chapter("100 users", outcome, verdict.normal(summary(outcome.requests, 1.0), 0.9))
    bad = Chapter("Many", outcome, verdict.normal(summary(outcome.requests, 1.0), 0.1))
    passed = Report("Load <test>", ["About & so on."], "then and there", [good])
    failed = Report("Load <test>", ["About & so on."], "then and there", [good, bad])
    assert report.markdown(passed).startswith("# Load <test>: PASS")
    assert report.markdown(failed).startswith("# Load <test>: FAIL")
    assert "| npy | 10 | 0 | 0 | 10 | 120 | 120 | 120 | 120 |" in report.markdown(passed)
    page = report.html(failed)
    assert "<title>Load &lt;test&gt;</title>" in page
    assert "<td>hit rate</td><td>&gt; 80%</td><td>10.0%</td><td>does not hold</td>" in page
    assert page.count("<polyline") == 4


def test_a_report_without_answers_has_dashes() -> None:
    outcome = Outcome(100, 1.0, requests(120.0, 503), 0.0)
    empty = Report("T", [], "t", [Chapter("c", outcome, [])])
    assert "| all | 1 | 1 | 0 | 0 | - | - | - | - |" in report.markdown(empty)
    assert "polyline" not in report.html(empty)
