"""Lines of logs."""

import io
import json
import logging
import subprocess
import sys

from contract.logs import JsonLines, TextLines

FIELDS = {"model": "m", "stages_ms": {"read": 0.25, "triton": 4.5}, "sent_bytes": 7}


def record(message: str, *args: object, fields: dict[str, object] | None = None) -> logging.LogRecord:
    made = logging.LogRecord("gateway.request", logging.INFO, "", 1, message, args, None)
    made.created = 1_767_225_600.25
    if fields is not None:
        made.fields = fields
    return made


def test_json_is_one_line_with_the_records_fields() -> None:
    line = JsonLines().format(record("%s\n%s", "GET", "/predict", fields=FIELDS))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-01-01T00:00:00.250+00:00",
        "level": "info",
        "logger": "gateway.request",
        "message": "GET\n/predict",
        **FIELDS,
    }


def test_a_traceback_stays_in_its_line() -> None:
    error = ZeroDivisionError("no")
    made = record("failed")
    made.exc_info = (type(error), error, None)
    line = JsonLines().format(made)
    assert "\n" not in line
    assert "ZeroDivisionError: no" in json.loads(line)["error"]


def test_text_is_for_people() -> None:
    line = TextLines().format(record("GET /", fields=FIELDS))
    assert line.endswith("INFO    gateway.request: GET / model=m stages_ms=read:0.25,triton:4.5 sent_bytes=7")


def test_away_from_a_terminal_lines_are_json_and_below_the_level_there_are_none() -> None:
    code = (
        "import logging; from contract.logs import configure; configure('info', '{}');"
        "logging.debug('hidden'); logging.info('shown')"
    )
    for form, is_json in (("auto", True), ("json", True), ("text", False)):
        command = [sys.executable, "-c", code.format(form)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        assert printed.count("\n") == 1
        assert ("shown" in printed) is True
        assert printed.startswith("{") is is_json


def test_on_a_terminal_lines_are_text() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    from contract import logs

    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    root.handlers = []
    try:
        logs.configure("warning", "auto", Terminal())
        assert isinstance(root.handlers[0].formatter, TextLines)
    finally:
        root.handlers = before
