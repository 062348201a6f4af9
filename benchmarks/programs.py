"""Sections that are programs of their own: they print Markdown, which is kept as they printed it."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.record import RESULTS

ROOT = Path(__file__).parents[1]
_ROW = re.compile(r"^\| (\w+) \| ([\d.,]+) \(([\d.,]+)-([\d.,]+)\) \|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """`python -m benchmarks.<module>`, its output below `preface`. `bars`: first cell of a row to bar."""

    section: str
    module: str
    title: str
    preface: str = ""
    bars: Mapping[str, str] | None = None

    @property
    def file(self) -> Path:
        """Where its output is kept."""
        return RESULTS / f"{self.section}.md"

    def run(self) -> None:
        """Run it, and keep what it prints."""
        command = [sys.executable, "-m", f"benchmarks.{self.module}"]
        told = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        self.file.write_text(told if told.startswith("# ") else f"# {self.title}\n\n{self.preface}{told}")

    def figures(self, folder: Path = RESULTS) -> dict[str, list[float]]:
        """The figures that some bars are about: median and range, from what was kept."""
        file = folder / self.file.name
        if not self.bars or not file.exists():
            return {}
        text = file.read_text().rpartition("÷ bare handler")[2]
        found = {row[0]: [float(value.replace(",", "")) for value in row[1:]] for row in _ROW.findall(text)}
        return {
            bar: [found[name][1], found[name][0], found[name][2]]
            for name, bar in self.bars.items()
            if name in found
        }


PROGRAMS = (
    Program("hits", "hits", "Answers from the cache", bars={"memory": "8", "Redis": "9"}),
    Program("inside", "inside", "Inside the gateway"),
    Program("parsing", "parsing", "Reading a request"),
    Program("ellipse", "ellipse", "Ellipses and outlines"),
    Program(
        "switching",
        "switching",
        "Switching champions",
        "Real MLflow, Triton, Redis, sync and gateway on the same cores; sync polls with its default "
        "settings, no webhooks; 100 connections send the model's input tensor to `/predict` without a cache. "
        '"Out of turn" counts answers by a version that was not champion at any moment of their request. The '
        "goals are 2 s to a served version and 10 s to one that is not served yet, with download, preflight, "
        "publishing, Triton's load and the proof.\n\n",
    ),
    Program(
        "shadow",
        "shadow",
        "What a shadow costs those who are answered",
        "Real Triton, Redis and gateway on the same cores, the demo's two versions; the sides take turns on "
        "one gateway by moving an alias. The two sides without a shadow tell how much is noise.\n\n",
    ),
    Program(
        "idle-pass",
        "idle_pass",
        "A pass of sync with nothing to do",
        "Passes with default settings (one every half second), nothing downloaded; the versions of all "
        "models are listed every five seconds beside the passes. The goal is 200 ms on a local server.\n\n",
    ),
)
"""In the order of the page."""
