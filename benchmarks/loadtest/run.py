"""One profile against one gateway: the users' process, and the gateway's own counters around it."""

import subprocess
import sys
import urllib.request
from dataclasses import dataclass

import msgspec

from benchmarks import scrape
from benchmarks.loadtest.traffic import Traffic
from benchmarks.loadtest.verdict import Request


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway and one of its models; `kind` is what it takes: `iq` or `tensor`."""

    url: str
    model: str
    kind: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one profile gave; `hit_rate` over recordings, by the gateway's counters."""

    users: int
    seconds: float
    requests: list[Request]
    hit_rate: float


def profile(target: Target, users: int, warm_s: float, seconds: float) -> Outcome:
    """Send every known recording once, then let the users loose."""
    for ask in Traffic(target.model, tensor=target.kind == "tensor").known():
        request = urllib.request.Request(target.url + ask.path, ask.body, dict(ask.headers))  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - the gateway that is tested
            answer.read()
    arguments = (target.url, target.model, target.kind, str(users), str(warm_s), str(seconds))
    command = (sys.executable, "-m", "benchmarks.loadtest.users", *arguments)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        before = after = {}
        for line in process.stdout:
            if line == b"counting\n":
                before = scrape.outcomes(target.url)
            elif line == b"counted\n":
                after = scrape.outcomes(target.url)
            elif line.startswith(b"["):
                requests = msgspec.json.decode(line, type=list[Request])
    if process.returncode:
        raise RuntimeError(f"the users ended with status {process.returncode}")
    return Outcome(users, seconds, requests, scrape.hit_rate(scrape.since(before, after)))
