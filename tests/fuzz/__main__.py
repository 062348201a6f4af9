"""Start a real Redis, Triton and gateway, send broken bodies, and say what came back.

Exits with 1 when any body was answered with 5xx, was not answered in time, was refused with anything but a
problem document, or when the gateway's memory grew.
"""

import argparse
import asyncio
import itertools
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from contract.model import IqInput
from stack import process
from tests import launch
from tests.fuzz.run import HANG_S, Outcome, send
from tests.gateway import stand
from tests.gateway.gateway_process import gateway_part
from tests.gateway.wire.mutation import seeds

MODEL = "fuzz"
WARM_UP = 5_000
"""Bodies before memory is first measured: caches and allocators fill up."""
GROWTH_MIB = 32.0
PARTS = 5


def main() -> int:
    """0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fixgate-fuzz-") as folder:
        home = Path(folder)
        with (
            launch.redis_server(home / "redis") as redis_url,
            launch.triton_server(home / "triton") as triton,
        ):
            _serve(triton, redis_url)
            return _fuzz(home, redis_url, triton.grpc, options.bodies, options.seed)


def _serve(triton: launch.Triton, redis_url: str) -> None:
    """A model that takes IQ of two receivers at the rate that the seeds name."""
    model = stand.iq_model(MODEL)
    wanted = model.contract.input
    assert isinstance(wanted, IqInput)
    contract = msgspec.structs.replace(
        model.contract, input=msgspec.structs.replace(wanted, sample_rate_hz=192_000.0)
    )
    stand.publish(triton, model)
    served = model.served(contract=contract)
    stand.announce(redis_url, stand.catalogue(stand.served_model(served, name=MODEL)))


def _fuzz(home: Path, redis_url: str, triton_grpc: str, bodies: int, seed: int) -> int:
    environment = {"FIXGATE_REDIS_URL": redis_url, "FIXGATE_TRITON_GRPC": triton_grpc}
    part, log = gateway_part(home, environment, launch.free_ports(1)[0]), home / "gateway.log"
    gateway = process.start(part, log)
    try:
        process.wait_until_ready(part, gateway, log)
        forms, numbers = seeds(receivers=2), iter(range(bodies + WARM_UP))
        asyncio.run(send(part.address, forms, itertools.islice(numbers, WARM_UP), seed, Outcome()))
        memory, started, outcome = [_rss_mib(gateway.pid)], time.monotonic(), Outcome()
        for _ in range(PARTS):
            some = itertools.islice(numbers, -(-bodies // PARTS))
            asyncio.run(send(part.address, forms, some, seed, outcome))
            memory.append(_rss_mib(gateway.pid))
        took = time.monotonic() - started
        if gateway.poll() is not None:
            outcome.faults.append("the gateway ended")
    finally:
        process.stop(gateway, part.stop_timeout_s)
    if (grown := memory[-1] - memory[0]) > GROWTH_MIB:
        outcome.faults.append(f"memory grew by {grown:.0f} MiB, more than {GROWTH_MIB:.0f}")
    print(
        f"Python {platform.python_version()}, seed {seed}: {outcome.forms.total():,} bodies in {took:.0f} s"
    )
    print("by form:", _listed(outcome.forms))
    print("by status:", _listed(outcome.statuses))
    print("gateway's memory in MiB, before and after each part:", ", ".join(f"{one:.1f}" for one in memory))
    print(f"5xx, unanswered for {HANG_S:.0f} s, not a problem document: {len(outcome.faults)}")
    print(*outcome.faults[:20], sep="\n")
    return 1 if outcome.faults else 0


def _listed(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
