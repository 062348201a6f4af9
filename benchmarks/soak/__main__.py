"""make soak: the whole stack under mixed traffic, with a move of the champion a minute, a fault every five.

    make soak [ARGS="--minutes 30 --fault-every 5"]

Ends with status 1 when something leaks, when an answer is wrong, or when an error has no explanation.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from pathlib import Path

from mlflow import MlflowClient

from benchmarks.soak.faults import strike
from benchmarks.soak.report import Run, write
from benchmarks.soak.stack import Stack, running
from benchmarks.soak.traffic import Traffic

MODEL = "localization"
REPORT = Path(__file__).parents[1] / "results" / "soak"
SAMPLE_S = 5.0


def main() -> None:
    """Run it, write the report, say the verdict."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument("--fault-every", type=float, default=5.0, metavar="MINUTES")
    parser.add_argument("--switch-every", type=float, default=1.0, metavar="MINUTES")
    parser.add_argument("--report", type=Path, default=REPORT, help="folder for the report")
    chosen = parser.parse_args()
    with running() as stack:
        print(f"soaking {stack.gateway} for {chosen.minutes:g} minutes", flush=True)
        run = asyncio.run(soak(stack, chosen.minutes, chosen.fault_every, chosen.switch_every))
        for line in stack.tracebacks():
            print(line, file=sys.stderr)
    page = write(run, chosen.report)
    print(page.read_text())
    sys.exit(1 if run.failures else 0)


async def soak(stack: Stack, minutes: float, fault_every: float, switch_every: float) -> Run:
    """Everything at once, for so many minutes."""
    traffic = Traffic(stack.gateway)
    run = Run(time.monotonic(), answers=traffic.answers, wrong=traffic.wrong)
    stop = asyncio.Event()
    work = (
        traffic.run(stop),
        _measure(stack, run, stop),
        _switch(stack, run, stop, switch_every * 60),
        _fault(stack, run, stop, fault_every * 60),
    )
    async with asyncio.TaskGroup() as tasks:
        for one in work:
            tasks.create_task(one)
        await asyncio.sleep(minutes * 60)
        stop.set()
    return run


async def _measure(stack: Stack, run: Run, stop: asyncio.Event) -> None:
    while not stop.is_set():
        usage = await asyncio.to_thread(stack.usage)
        run.samples.append((time.monotonic(), usage, stack.segments()))
        await _pause(stop, SAMPLE_S)


async def _switch(stack: Stack, run: Run, stop: asyncio.Event, every_s: float) -> None:
    client = MlflowClient(stack.mlflow, stack.mlflow)
    await _pause(stop, every_s)
    while not stop.is_set():
        version = str(2 - run.switches % 2)
        try:
            await asyncio.to_thread(client.set_registered_model_alias, MODEL, "champion", version)
            run.switches += 1
        except Exception as error:  # noqa: BLE001 MLflow may be the part that is down
            print(f"champion not moved: {error}", file=sys.stderr)
        await _pause(stop, every_s)


async def _fault(stack: Stack, run: Run, stop: asyncio.Event, every_s: float) -> None:
    await _pause(stop, every_s)
    while not stop.is_set():
        fault = await strike(stack, len(run.faults))
        run.faults.append(fault)
        print(f"{fault.name}: ready again after {fault.ended - fault.began:.1f} s", flush=True)
        await _pause(stop, every_s)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


if __name__ == "__main__":
    main()
