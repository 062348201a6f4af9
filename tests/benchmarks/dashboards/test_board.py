"""Dashboards as what has to be asked."""

import pytest

from benchmarks.dashboards.board import Target, boards


def test_every_dashboard_is_read_with_its_variables_filled() -> None:
    found = {board.name: board for board in boards()}
    assert set(found) == {"models", "service", "sync", "uncertainty"}
    for board in found.values():
        assert board.marks
        assert {panel.kind for panel in board.panels} <= {"stat", "timeseries", "heatmap"}
        assert all("$" not in target.expression for panel in board.panels for target in panel.targets)
    within = next(panel for panel in found["service"].panels if panel.title == "Within 500 ms")
    assert within.steps == ((float("-inf"), "red"), (0.95, "orange"), (0.99, "green"))


@pytest.mark.parametrize(
    ("legend", "name"),
    [("{{model}} {{version}}", "loc 3"), ("p95", "p95"), ("{{none}}", ""), ("at {{ version }}", "at 3")],
)
def test_a_series_is_called_by_its_labels(legend: str, name: str) -> None:
    assert Target("x", legend).name({"model": "loc", "version": "3"}) == name
