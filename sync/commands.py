"""Commands from the Redis stream: read by a thread, handed to the loop, answered by id.

A command is acknowledged after it has been carried out and answered, so that one that a kill interrupts
comes again; what it had been decided to do is in the journal then, and is done, not decided anew.
"""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

import redis

from contract import command, keys
from contract.command import Command, Reply
from sync.redis_client import connect

log = logging.getLogger(__name__)

GROUP = "sync"
CONSUMER = "sync"
BLOCK_MS = 500
TIMEOUT_S = 5.0
AGAIN_S = 1.0
REPLY_TTL_S = 300
AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Received:
    """A command and its place in the stream."""

    entry: bytes
    command: Command


class Inbox:
    """Commands that wait for the loop. `wake` is called when one arrives."""

    def __init__(self, redis_url: str, wake: Callable[[], None]) -> None:
        self._redis = connect(redis_url, timeout_s=TIMEOUT_S)
        self._wake = wake
        self._waiting: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self._held: set[bytes] = set()
        self._again = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="commands", daemon=True)

    def start(self) -> None:
        """Begin to read; first what was received and not answered before."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._redis.close()

    def take(self) -> list[Received]:
        """All commands that wait."""
        taken = []
        while not self._waiting.empty():
            taken.append(self._waiting.get())
        return taken

    def answer(self, received: Received, reply: Reply) -> None:
        """Answer a command and acknowledge it; without Redis it comes again, and is answered then."""
        name = keys.reply(reply.id)
        try:
            with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.delete(name)
                pipeline.lpush(name, command.dump(reply))
                pipeline.expire(name, REPLY_TTL_S)
                pipeline.xack(keys.COMMANDS, GROUP, received.entry)
                pipeline.xdel(keys.COMMANDS, received.entry)
                pipeline.execute()
        except redis.RedisError as error:
            log.warning("the answer to command %s could not be given: %s", reply.id, error)
            self._again.set()
        self._held.discard(received.entry)

    def _read(self) -> None:
        position = "0"
        said = False
        while not self._stopped.is_set():
            try:
                self._ensure_group()
                if self._again.is_set():
                    self._again.clear()
                    position = "0"
                entries = self._next(position)
                for entry, fields in entries:
                    self._receive(entry, fields)
                said = False
            except redis.RedisError as error:
                if not said:
                    log.warning("commands cannot be read: %s", error)
                said = True
                self._stopped.wait(AGAIN_S)
                position = "0"
                continue
            # "0" lists what this consumer was given and has not acknowledged; ">" is what is new.
            position = ">" if position == ">" or not entries else entries[-1][0].decode()

    def _ensure_group(self) -> None:
        try:
            self._redis.xgroup_create(keys.COMMANDS, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _next(self, position: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        answer = self._redis.xreadgroup(
            GROUP, CONSUMER, {keys.COMMANDS: position}, count=AT_ONCE, block=BLOCK_MS
        )
        if not isinstance(answer, list) or not answer:
            return []
        entries: list[tuple[bytes, dict[bytes, bytes]]] = answer[0][1]
        return entries

    def _receive(self, entry: bytes, fields: dict[bytes, bytes]) -> None:
        try:
            received = Received(entry, command.parse_command(fields[b"command"]))
        except (KeyError, ValueError) as error:
            log.warning("entry %s of the command stream is no command: %s", entry.decode(), error)
            self._redis.xack(keys.COMMANDS, GROUP, entry)
            self._redis.xdel(keys.COMMANDS, entry)
            return
        if entry in self._held:
            return
        self._held.add(entry)
        self._waiting.put(received)
        self._wake()
