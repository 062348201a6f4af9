"""The running service: the lock, the port, the loop of passes."""

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.api import make_app
from sync.assembly import assemble
from sync.config import Config
from sync.errors import Misconfigured, RepositoryUnavailable
from sync.observation import wanted_refusals
from sync.relay import relay
from sync.repository import Lock
from sync.server import Server
from sync.watch import Bell, Watch

log = logging.getLogger(__name__)

LOCK_EVERY_S = 1.0
START_AGAIN_S = 2.0


@dataclass(slots=True)
class Service:
    """sync as a process."""

    config: Config
    bell: Bell = field(default_factory=Bell)
    on_watch: Callable[[Watch], None] = lambda _watch: None

    def run(self, *, once: bool = False) -> int:
        """Run until stopped (with `once`, until nothing is left to do); the process's exit status."""
        parts = assemble(self.config, self.bell)
        watch = parts.watch
        relay({signal.SIGHUP: watch.look_again})
        server = None if once else self._listen(watch)
        self.on_watch(watch)
        lock = watch.reconciler.repository.lock()
        try:
            if self._start(watch, lock, once=once):
                if not once:
                    parts.inbox.start()
                watch.run(once=once)
        finally:
            parts.inbox.stop()
            watch.reconciler.work.jobs.close()
            if server is not None:
                server.stop()
            watch.reconciler.feed.close()
            parts.records.close()
            lock.release()
        return 0 if not once or _well(watch) else 1

    def _listen(self, watch: Watch) -> Server:
        server = Server(make_app(watch), self.config.sync_host, self.config.sync_port)
        try:
            server.start()
        except OSError as error:
            raise Misconfigured(f"FIXGATE_SYNC_PORT: {self.config.sync_port}: {error.strerror}") from error
        return server

    def _start(self, watch: Watch, lock: Lock, *, once: bool) -> bool:
        """Wait for the lock and a writable repository; False when stopped or, once, when not had."""
        said = ""
        while not self.bell.stopped:
            try:
                if lock.acquire():
                    watch.reconciler.start()
                    return True
                problem = f"another sync has {self.config.model_repository}: waiting until it ends"
            except (RepositoryUnavailable, OSError) as error:
                problem = f"model repository: {error}"
            if problem != said:
                log.warning("%s", problem)
                said = problem
            if once:
                return False
            self.bell.pause(LOCK_EVERY_S)
        return False


def _well(watch: Watch) -> bool:
    """Whether everything the registry wants is served."""
    last = watch.last
    if last is None or not last.settled:
        return False
    return not wanted_refusals(watch.reconciler.work.quarantine.refusals, last.seen.desired)
