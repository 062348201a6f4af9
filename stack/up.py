"""`fixgate up`: one home, one stack, from the first check to the last process."""

import asyncio
import contextlib
import fcntl
import http.client
import json
import os
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from stack.guard import Guard
from stack.options import Options
from stack.part import CannotStart, Part
from stack.parts import mlflow_uri, parts, redis_url, without_password
from stack.ports import check
from stack.screen import Screen, screen
from stack.supervisor import GaveUp, Supervisor

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_S = 0.25


def up(options: Options, console: Console) -> int:
    """Run the stack until told to stop; returns the exit status.

    Raises:
        CannotStart: something is in the way that the user has to change first.
    """
    with _only_one(options.home) as lock:
        check(options.ports)
        made = parts(options)
        _rotate(options.logs)
        with Guard(inherit=(lock,)) as guard, screen(console, _addresses(options, made)) as shown:
            shown.say(f"fixgate: state in {options.home}, logs in {options.logs}; Ctrl-C stops everything")
            for name, url in _elsewhere(options):
                shown.say(f"using the {name} at {url}")
            return asyncio.run(_run(made, options, guard, shown))


async def _run(made: list[Part], options: Options, guard: Guard, shown: Screen) -> int:
    supervisor = Supervisor(made, options.logs, guard, shown.tell)
    running = asyncio.create_task(supervisor.run())
    watching = asyncio.create_task(_watch(options, shown))

    def stop() -> None:
        """The first signal stops in order, another one at once."""
        if running.cancelling():
            supervisor.kill()
            return
        watching.cancel()
        shown.note("stopping; Ctrl-C again kills")
        running.cancel()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await running
    except asyncio.CancelledError:
        shown.note("stopped")
    except GaveUp as error:
        shown.say(str(error), "bold red")
        return 1
    finally:
        watching.cancel()
    return 0


async def _watch(options: Options, shown: Screen) -> None:
    """Show whether requests are answered, and the first time that they are, how to send one."""
    announced = False
    while True:
        missing = await asyncio.to_thread(_missing, options.gateway_url)
        shown.note(missing or f"ready: {options.gateway_url}")
        if not missing and not announced:
            announced = True
            shown.say(_announcement(options))
        await asyncio.sleep(LOOK_S)


def _missing(url: str) -> str:
    """What the gateway says is missing before it can answer requests; nothing: it can."""
    split = urlsplit(url)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=2.0)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        if answer.status == http.client.OK:
            return ""
        return str(json.loads(answer.read()).get("detail", "not ready"))
    except (OSError, http.client.HTTPException, ValueError):
        return "not ready: the gateway does not answer yet"
    finally:
        connection.close()


def _announcement(options: Options) -> str:
    lines = ["", f"Ready. The gateway answers at {options.gateway_url}"]
    if options.example is not None:
        relative = os.path.relpath(options.example)
        file = shlex.quote(f"@{options.example if relative.startswith('..') else relative}")
        url = f"{options.gateway_url}/predict"
        lines.append("Ask it where a recording came from:\n")
        lines.append(f"  curl -H 'Content-Type: application/x-npy' --data-binary {file} {url}")
    lines += ["", f"Watch it in a browser: {options.gateway_url}/console"]
    return "\n".join([*lines, ""])


def _addresses(options: Options, made: list[Part]) -> dict[str, str]:
    shown = {part.name: part.address for part in made}
    if "triton" in shown:
        shown["triton"] += f", gRPC {options.triton_grpc_port}"
    return shown


def _elsewhere(options: Options) -> Iterator[tuple[str, str]]:
    if options.redis_url:
        yield "Redis", without_password(redis_url(options))
    if options.mlflow_uri:
        yield "MLflow server", without_password(mlflow_uri(options))


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[int]:
    """Hold the home's lock; yields its descriptor. The guard inherits it, so it lasts as long as any part."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise CannotStart(
                f"another `fixgate up` (process {file.read().strip() or 'unknown'}) uses {home}, or is still "
                "stopping: stop it first, or choose another folder with --home or FIXGATE_HOME"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()


def _rotate(logs: Path) -> None:
    """Begin new logs; the last run's stay beside them."""
    for log in logs.glob("*.log"):
        log.replace(log.with_suffix(".log.1"))
