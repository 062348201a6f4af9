"""The report's files."""

import json
from pathlib import Path
from typing import Any

from cli.evaluation.judge import Evaluation
from cli.evaluation.page import page
from cli.evaluation.plot import reliability


def write(folder: Path, evaluation: Evaluation, built: dict[str, Any], title: str) -> None:
    """Write `evaluation.json`, `reliability.png` and `index.html` into a folder, made if it is not there.

    Raises:
        OSError: it cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(built, indent=2) + "\n")
    (folder / "reliability.png").write_bytes(reliability(evaluation, title, "png"))
    drawing = reliability(evaluation, title, "svg")
    (folder / "index.html").write_text(page(evaluation, title, drawing, built["at"]), encoding="utf-8")
