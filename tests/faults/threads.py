"""A server of a test's own, in a thread: it answers also while the test's event loop is busy."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Protocol


class Server(Protocol):
    """Listens, says so, and goes on until it is told to stop, in its own loop."""

    async def serve(self, up: threading.Event) -> None: ...
    def stop(self) -> None: ...


@contextlib.contextmanager
def in_thread(server: Server) -> Iterator[None]:
    """Serve until the block ends."""
    up, loop = threading.Event(), asyncio.new_event_loop()

    def run() -> None:
        try:
            loop.run_until_complete(server.serve(up))
        finally:
            up.set()
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    up.wait()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(server.stop)
        thread.join()
