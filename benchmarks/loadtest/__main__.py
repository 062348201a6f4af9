"""`make loadtest`: 100 users against a running gateway, or against a stack of its own; then 1,000 users.

Without --url, and when no gateway is ready at $FIXGATE_URL (http://127.0.0.1:8080), Redis, Triton, a registry
and sync are started with the model in question, and a gateway as `fixgate up` has it.
"""

import argparse
import contextlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import onnx

from benchmarks import machine
from benchmarks.loadtest import report, verdict
from benchmarks.loadtest.report import Chapter, Report
from benchmarks.loadtest.run import Target, profile
from benchmarks.loadtest.traffic import MIX
from benchmarks.record import RESULTS
from benchmarks.service import leave_nothing_behind, service
from benchmarks.workloads.models import TINY, Workload
from demo import shipped

DEFAULT_URL = "http://127.0.0.1:8080"
DEMO = Workload(
    shipped.MODEL_NAME,
    lambda: onnx.load(shipped.VERSIONS[0].model),
    json.loads(shipped.VERSIONS[0].contract.read_text()),
)
WORKLOADS = {"demo": (DEMO, "iq", "the demo model"), "tiny": (TINY, "tensor", "ConvNeXt-Tiny")}

HOW = (
    "Latencies are of answers with success; whoever is refused waits as long as Retry-After says. The hit "
    "rate is over recordings, by the gateway's own counters."
)


def main() -> int:
    """Run the profiles, write the reports; 1 when one of them is not passed."""
    given = arguments()
    leave_nothing_behind()
    with target(given) as (where, running):
        ordinary = profile(where, given.users, given.warm, given.seconds)
        told = verdict.summary(ordinary.requests, ordinary.seconds)
        chapters = [
            Chapter(f"{given.users} users", ordinary, verdict.normal(told, ordinary.hit_rate)),
        ]
        if given.stress_users:
            stressed = profile(where, given.stress_users, given.warm, given.seconds)
            under_stress = verdict.summary(stressed.requests, stressed.seconds)
            title = f"{given.stress_users:,} users"
            chapters.append(Chapter(title, stressed, verdict.stress(under_stress, told)))
    done = Report(
        f"Load test, {WORKLOADS[given.model][2]}",
        (
            f"{given.seconds:g} s after {given.warm:g} s of warm-up, by locust, on the machine of {running}.",
            f"Mix: {MIX}.",
            HOW,
        ),
        f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC. {machine.describe()}.",
        chapters,
    )
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / f"loadtest-{given.model}.md").write_text(report.markdown(done))
    (given.out / f"loadtest-{given.model}.html").write_text(report.html(done))
    sys.stdout.write(report.markdown(done))
    return 0 if done.verdict == "PASS" else 1


@contextlib.contextmanager
def target(given: argparse.Namespace) -> Iterator[tuple[Target, str]]:
    """The gateway to load, and what to call it."""
    workload, kind, _ = WORKLOADS[given.model]
    url = given.url or os.environ.get("FIXGATE_URL", DEFAULT_URL)
    if given.url or (not given.own and serves(url, workload.name)):
        yield Target(url, workload.name, kind), "the stack that was running"
        return
    with service([workload]) as started, started.gateway() as gateway:
        yield (
            Target(gateway.url, workload.name, kind),
            "a stack of its own (gateway as `fixgate up` starts it, Triton, Redis)",
        )


def serves(url: str, model: str) -> bool:
    """Whether a gateway there has the model."""
    try:
        with urllib.request.urlopen(f"{url}/models/{model}", timeout=2):  # noqa: S310 - the user's own gateway
            return True
    except (OSError, ValueError):
        return False


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loadtest", description=__doc__)
    parser.add_argument("--url", help="a gateway that is running already")
    parser.add_argument("--own", action="store_true", help="start a stack even if one is running")
    parser.add_argument("--model", choices=sorted(WORKLOADS), default="demo")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--stress-users", type=int, default=1000, help="0: no stress profile")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--warm", type=float, default=5.0)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the reports")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
