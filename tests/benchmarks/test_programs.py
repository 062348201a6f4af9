"""Sections that are programs of their own."""

import importlib.util
from pathlib import Path

from benchmarks.programs import PROGRAMS, Program

PRINTED = """# Answers from the cache

| | requests/s | p99 ms |
|---|---|---|
| memory | 9,000 (8,000-9,500) | 12.0 (11.0-13.0) |

| gateway ÷ bare handler | rate | processor time | bar |
|---|---|---|---|
| memory | 0.450 (0.430-0.470) | 0.500 (0.490-0.510) | 0.4 |
| Redis | 0.250 (0.240-0.260) | 0.300 (0.290-0.310) | 0.2 |
"""


def test_ratios_are_read_from_the_last_table(tmp_path: Path) -> None:
    (tmp_path / "hits.md").write_text(PRINTED)
    hits = Program("hits", "hits", "Hits", bars={"memory": "8", "Redis": "9"})
    assert hits.figures(tmp_path) == {"8": [0.43, 0.45, 0.47], "9": [0.24, 0.25, 0.26]}
    assert hits.figures(tmp_path / "nothing-yet") == {}


def test_every_program_is_there() -> None:
    for program in PROGRAMS:
        assert importlib.util.find_spec(f"benchmarks.{program.module}") is not None
