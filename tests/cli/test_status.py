"""`fixgate status`."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import status
from cli.main import app

RUN = CliRunner()

SERVED: dict[str, Any] = {
    "version": 1,
    "state": "served",
    "wanted_by": ["previous champion"],
    "aliases": [],
    "ready": {"a:1": True, "b:1": False},
    "digest": "0123456789abcdef",
}
DOCUMENT: dict[str, Any] = {
    "models": [
        {
            "name": "loc",
            "aliases": {"champion": 2},
            "previous_champion": 1,
            "versions": [
                SERVED,
                {"version": 2, "state": "rejected", "reason": "load: cannot"},
                {"version": 3, "state": "preparing", "downloaded": [1, 4]},
            ],
        }
    ],
    "last_pass": 95.0,
    "last_success": 90.0,
    "pass_duration_s": 0.012,
    "catalogue_revision": 7,
    "tritons": {"a:1": True, "b:1": False},
    "problems": ["theirs: not made by fixgate, left alone"],
}


def shown(document: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=200)
    status.show(document, console, now=100.0)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_versions_with_their_states_and_reasons_are_shown() -> None:
    text = shown(DOCUMENT)
    for part in (
        "(previous champion)",
        "1/2",
        "0123456789ab",
        "load: cannot",
        "downloading, 25 %",
        "Triton b:1: does not answer",
        "! theirs: not made by fixgate, left alone",
        "last pass 5 s ago, 12 ms; registry last read 10 s ago; catalogue revision 7",
    ):
        assert part in text


def test_before_the_first_pass_there_is_little_to_show() -> None:
    text = shown({"models": []})
    assert "nothing registered that is to be served" in text
    assert "no pass yet" in text


@pytest.fixture
def port() -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = json.dumps(DOCUMENT).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    Handler.do_GET = Handler.answer  # type: ignore[attr-defined]
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_refused_version_shows_in_the_exit_status(port: int) -> None:
    ended = RUN.invoke(app, ["status", "--sync-port", str(port)])
    assert ended.exit_code == 3
    assert "rejected" in ended.output


def test_json_is_syncs_own_document(port: int) -> None:
    ended = RUN.invoke(app, ["status", "--json"], env={"FIXGATE_SYNC_PORT": str(port)})
    assert json.loads(ended.output) == DOCUMENT


def test_a_sync_that_does_not_answer_is_said_to(tmp_path: object) -> None:
    ended = RUN.invoke(app, ["status", "--sync-port", "1"])
    assert ended.exit_code == 1
    assert "does not answer at 127.0.0.1:1" in " ".join(ended.output.split())
