"""What a worker and its parent say to each other, over one end each of a socket pair."""

import asyncio
import contextlib
from typing import Any

import msgspec

from gateway.telemetry.report import Report

BUFFER = 1 << 20
"""Bytes that a reader of the link takes at once: a report with its times has some hundred thousand."""

_LENGTH = 4
_MOST = 256 << 20


class Up(msgspec.Struct, tag=True):
    """From a worker: it answers requests."""


class Told(msgspec.Struct, tag=True):
    """From a worker: its report, of its own accord (`number` 0) or because it was asked.

    `whole` False, here and below: without counts, which /metrics does not tell.
    """

    number: int
    report: Report
    whole: bool = True


class Ask(msgspec.Struct, tag=True):
    """From a worker: what do the others report? With its own, so that nobody is ever told less."""

    number: int
    report: Report
    whole: bool


class Tell(msgspec.Struct, tag=True):
    """To a worker: report."""

    number: int
    whole: bool


class Answer(msgspec.Struct, tag=True):
    """To a worker: reports of the others, and of those that are gone."""

    number: int
    reports: list[Report]


class Reload(msgspec.Struct, tag=True):
    """To a worker: ask sync to look at the registry now."""


FromWorker = Up | Told | Ask
ToWorker = Tell | Answer | Reload


async def receive(reader: asyncio.StreamReader, kind: Any) -> Any:
    """The next message, of a `kind`; None when the other side is gone."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH), "little")
        return msgspec.msgpack.decode(await reader.readexactly(min(length, _MOST)), type=kind)
    except (asyncio.IncompleteReadError, OSError):
        return None


def send(writer: asyncio.StreamWriter, message: FromWorker | ToWorker) -> None:
    """Never waits: reports are few and of bounded size."""
    with contextlib.suppress(OSError):
        document = msgspec.msgpack.encode(message)
        writer.write(len(document).to_bytes(_LENGTH, "little") + document)
