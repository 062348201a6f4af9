"""`fixgate history`."""

import json
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from contract.deployment import Deployment
from sync.journal import Journal

RUN = CliRunner()


def home(folder: Path) -> str:
    journal = Journal(folder / "journal.jsonl", lambda _entry: None)
    journal.append(Deployment(0.0, "publish", "loc", version=1, cause="alias champion", duration_s=3.21))
    journal.append(Deployment(1.0, "switch", "loc", version=1, alias="champion"))
    journal.append(Deployment(2.0, "refuse", "other", version=7, message="load: cannot"))
    return str(folder)


def test_what_sync_did_is_shown_oldest_first(tmp_path: Path) -> None:
    ended = RUN.invoke(app, ["history", "--home", home(tmp_path)], env={"COLUMNS": "200"})
    assert ended.exit_code == 0
    publish, switch, refuse = (
        line for line in ended.output.splitlines() if line.startswith("1970-01-01 00:00:0")
    )
    assert "alias champion" in publish
    assert "3.2 s" in publish
    assert "champion: nowhere -> 1" in switch
    assert "load: cannot" in refuse


def test_one_models_newest_entries_as_json(tmp_path: Path) -> None:
    ended = RUN.invoke(app, ["history", "loc", "--limit", "1", "--json", "--home", home(tmp_path)])
    (entry,) = (json.loads(line) for line in ended.output.splitlines())
    assert (entry["event"], entry["model"]) == ("switch", "loc")


def test_a_home_without_a_journal_is_an_error(tmp_path: Path) -> None:
    ended = RUN.invoke(app, ["history", "--home", str(tmp_path)])
    assert ended.exit_code == 1
    assert "no journal at" in ended.output
