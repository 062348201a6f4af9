"""Every promise names a test that there is."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROMISES = (ROOT / "docs" / "reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PROMISES)))


@cache
def functions_in(path: str) -> frozenset[str]:
    """The test functions of a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_test_that_keeps_a_promise_exists(path: str, name: str) -> None:
    assert name in functions_in(path)


def test_every_promise_is_kept_by_something() -> None:
    rows = [line for line in PROMISES.splitlines() if line.startswith("| ") and "kept by" not in line]
    assert len(rows) > 30
    for row in rows:
        keeps = row.rstrip("| ").rpartition(" | ")[2]
        assert "`tests/" in keeps or "`make " in keeps or "`bandit`" in keeps, row
