"""Code blocks of a Markdown page, run as a reader would run them."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
LEAST_NODE = 18
"""The first with fetch."""


@dataclass(frozen=True, slots=True)
class Example:
    """One block: its language, its code, and the section that it is in with its number there."""

    language: str
    code: str
    section: str
    place: int

    def __str__(self) -> str:
        return f"{self.section} {self.place} {self.language}"


def examples(page: str) -> list[Example]:
    """All blocks of a page, in order."""
    text = (DOCS / page).read_text("utf-8")
    headings = [(found.start(), found[1]) for found in _HEADING.finditer(text)]
    counts: dict[str, int] = {}
    found = []
    for block in _BLOCK.finditer(text):
        section = next((name for start, name in reversed(headings) if start < block.start()), "")
        counts[section] = counts.get(section, 0) + 1
        found.append(Example(block[1], block[2], section, counts[section]))
    return found


def run(example: Example, folder: Path, addresses: dict[str, str]) -> str:
    """What it prints. `addresses` stand in for those on the page; skips where the language is missing."""
    code = example.code
    for there, here in addresses.items():
        code = code.replace(there, here)
    match example.language:
        case "sh":
            if shutil.which("curl") is None:
                pytest.skip("curl is not on PATH")
            command = ["bash", "-euo", "pipefail", "-c", code]
        case "python":
            command = [sys.executable, "-W", "error", "-c", code]
        case "js":
            command = [_node(), "--input-type=module", "--eval", code]
        case other:
            raise ValueError(other)
    environment = {**os.environ, "PYTHONPATH": str(DOCS.parent)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        if os.environ.get("CI"):
            pytest.fail("JavaScript examples must be run in CI: put node on PATH")
        pytest.skip("node is not on PATH: the JavaScript examples are not run")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    if int(told.lstrip("v").split(".")[0]) < LEAST_NODE:
        pytest.skip(f"node {told.strip()} has no fetch: {LEAST_NODE} or newer is needed")
    return node
