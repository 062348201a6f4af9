"""`fixgate tune`: what it prints; measuring itself is in tests/sync/test_tuning.py."""

import io
from pathlib import Path

from rich.console import Console
from typer.testing import CliRunner

from cli import tune
from cli.main import app
from sync.load import Measured
from sync.settings import Settings
from sync.tuning import Trial

FAST = Trial(Settings(8, 2, 1), Measured(1000.0, 10.0, 20.0, 0))
SLOW = Trial(Settings(64, 1, 2), Measured(500.0, 300.0, 900.0, 0))
BROKEN = Trial(Settings(64, 8, 1), None, "out of memory")


def printed(best: Trial, *, applied: bool = False) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(tune._table([FAST, SLOW, BROKEN], 500.0))
    tune._say(console, best, 500.0, applied=applied)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_trial_is_shown_with_what_came_of_it() -> None:
    text = printed(FAST)
    for part in ("20.0", "ok", "900.0", "too slow", "out of memory", "best: 2 instance(s) of 1 thread(s)"):
        assert part in text
    assert "nothing changed" in text


def test_what_was_put_in_force_is_said() -> None:
    assert "each beside itself" in printed(FAST, applied=True)


def test_a_goal_that_nothing_meets_is_said() -> None:
    assert "none keeps 95 % within 500 ms" in printed(SLOW)


def test_a_model_that_is_not_served_ends_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    environment = {"FIXGATE_MODEL_REPOSITORY": str(tmp_path / "models"), "FIXGATE_HOME": str(tmp_path)}
    ended = CliRunner().invoke(app, ["tune", "nobody"], env=environment)
    assert ended.exit_code == 1
    assert "'nobody' is not served" in " ".join(ended.output.split())
