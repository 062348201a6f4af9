"""What happens while Prometheus watches: a refusal, a rollout, a rollback, a fault, a rush."""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from mlflow import MlflowClient

from benchmarks.dashboards.traffic import Traffic
from benchmarks.soak.stack import Stack
from demo.shipped import MODEL_NAME
from stack import process
from tests.planes import REPOSITORY

SECRET_OPTION = "FIXGATE_WEBHOOK_SECRET"  # noqa: S105 the option's name
RUSH = 150
"""Requests at once."""

Step = Callable[["Story"], Awaitable[None]]


class Story:
    """Carries out each step at its part of the time; `seconds` is how long all of it takes."""

    def __init__(self, stack: Stack, traffic: Traffic, seconds: float, secret: str) -> None:
        self.stack, self.traffic, self.seconds = stack, traffic, seconds
        self._secret = secret
        self.mlflow = MlflowClient(stack.mlflow, stack.mlflow)

    async def run(self) -> None:
        """All steps, in order."""
        begun = asyncio.get_running_loop().time()
        for part, step in STEPS:
            await asyncio.sleep(max(0.0, begun + part * self.seconds - asyncio.get_running_loop().time()))
            print(f"{part * self.seconds / 60:4.1f} min: {step.__doc__}", flush=True)
            await step(self)
        await asyncio.sleep(max(0.0, begun + self.seconds - asyncio.get_running_loop().time()))

    async def command(self, *words: str) -> None:
        """One of `fixgate`'s, as an operator would.

        Raises:
            RuntimeError: it does not succeed.
        """
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "cli", *words],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "FIXGATE_URL": self.stack.gateway,
                "FIXGATE_MLFLOW_URI": self.stack.mlflow,
                "FIXGATE_HOME": str(self.stack.home / "home"),
                SECRET_OPTION: self._secret,
            },
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"fixgate {' '.join(words)}: {done.stdout}{done.stderr}")


def webhook_secret() -> str:
    """Between MLflow and sync."""
    return secrets.token_hex(32)


async def _prepare(story: Story) -> None:
    """MLflow tells sync of changes; version 2 is mirrored"""
    address = f"http://127.0.0.1:{story.stack.ports['sync-port']}/webhooks/mlflow"
    await story.command("sync", "--register-webhook", "--webhook-url", address)
    await asyncio.to_thread(story.mlflow.set_registered_model_alias, MODEL_NAME, "shadow", "2")
    await asyncio.to_thread(story.mlflow.set_model_version_tag, MODEL_NAME, "2", "fixgate.serve", "true")


async def _refused(story: Story) -> None:
    """a version with a contract that cannot be right is registered, and refused"""
    source = await asyncio.to_thread(story.mlflow.get_model_version, MODEL_NAME, "1")
    tags = {"fixgate.contract": '{"schema": 1}', "fixgate.serve": "true"}
    await asyncio.to_thread(story.mlflow.create_model_version, MODEL_NAME, source.source, source.run_id, tags)


async def _corrected(story: Story) -> None:
    """the refused version is withdrawn"""
    await asyncio.to_thread(story.mlflow.delete_model_version_tag, MODEL_NAME, "3", "fixgate.serve")


async def _rollout(story: Story) -> None:
    """version 2 is rolled out in three steps"""
    await asyncio.to_thread(story.mlflow.delete_registered_model_alias, MODEL_NAME, "shadow")
    await story.command(
        *("rollout", MODEL_NAME, "2", "--steps", "10,50,100", "--every", f"{story.seconds * 0.05:.0f}s"),
        *("--min-requests", "20", "--max-error-rate", "off", "--max-p95-ms", "off", "--max-shift", "off"),
        "--watch",
    )


async def _rollback(story: Story) -> None:
    """the champion before it is put back"""
    await story.command("rollback", MODEL_NAME)


async def _weights(story: Story) -> None:
    """a fifth of the traffic goes to version 2"""
    await story.command("route", MODEL_NAME, "1=80", "2=20")


async def _hang(story: Story) -> None:
    """the process of version 2 in Triton stands still for a while"""
    stubs = [pid for pid in _stubs(story.stack) if f"/{MODEL_NAME}/2/" in _command(pid)]
    if not stubs:
        raise RuntimeError("Triton has no process for version 2")
    for pid in stubs:
        os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(story.seconds * 0.05)
    for pid in stubs:
        os.kill(pid, signal.SIGCONT)


async def _rush(story: Story) -> None:
    """more requests come than the machine bears"""
    await story.traffic.burst(RUSH, story.seconds * 0.015)


def _stubs(stack: Stack) -> list[int]:
    triton = stack.leader("triton")
    return [] if triton is None else [pid for pid in process.members(triton) if "stub" in _command(pid)]


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


STEPS: tuple[tuple[float, Step], ...] = (
    (0.00, _prepare),
    (0.12, _refused),
    (0.22, _corrected),
    (0.25, _rollout),
    (0.55, _rollback),
    (0.62, _weights),
    (0.68, _hang),
    (0.78, _rush),
)
