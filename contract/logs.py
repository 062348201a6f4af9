"""How both planes log: one JSON object a line, or text for a person at a terminal.

A record made with `extra={"fields": {...}}` has them as members of the object, and as `name=value` in text.
"""

import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import msgspec

Format = Literal["auto", "json", "text"]
Level = Literal["debug", "info", "warning", "error"]


class JsonLines(logging.Formatter):
    """`time` (RFC 3339, UTC), `level`, `logger`, `message`, the record's fields, `error` for a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            document["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(document, enc_hook=str).decode()


class TextLines(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 logging's name
        """The line without a traceback."""
        more = " ".join(f"{name}={_shown(value)}" for name, value in fields(record).items())
        return f"{super().formatMessage(record)} {more}".rstrip()


def configure(level: Level, form: Format, stream: TextIO | None = None) -> None:
    """Log to `stream` (default: standard error); `auto` is text on a terminal, JSON elsewhere."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    text = form == "text" or (form == "auto" and stream.isatty())
    handler.setFormatter(TextLines() if text else JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])


def fields(record: logging.LogRecord) -> Mapping[str, Any]:
    """What the record holds beside its message."""
    found: Mapping[str, Any] = getattr(record, "fields", {})
    return found


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{_shown(one)}" for name, one in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)
