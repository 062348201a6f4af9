"""Numbers as people read them."""

import pytest

from benchmarks.dashboards.units import shown


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"),
        (0.00025, "s", "250 µs"),
        (0.0123, "s", "12.3 ms"),
        (1.5, "s", "1.5 s"),
        (240.0, "s", "4 min"),
        (7200.0, "s", "2 h"),
        (0.957, "percentunit", "95.7 %"),
        (50.0, "percent", "50 %"),
        (512.0, "bytes", "512 B"),
        (3 * 1024**2, "bytes", "3 MiB"),
        (30.0, "lengthm", "30 m"),
        (30_000.0, "lengthm", "30 km"),
        (3_000_000.0, "lengthm", "3,000 km"),
        (12.34, "reqps", "12.3 req/s"),
        (0.5, "ops", "0.5 ops/s"),
        (1234.0, "none", "1,234"),
        (float("nan"), "s", ""),
        (float("inf"), "lengthm", ""),
    ],
)
def test_shown(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text
