"""What the gateway adds to one request when nobody else asks (bar 7)."""

import msgspec

from benchmarks import bodies, machine
from benchmarks.record import Result
from benchmarks.rounds import alternate
from benchmarks.sections.throughput import DIRECT, OURS
from benchmarks.setting import COLUMNS, UNCACHED, Setting, closed_rows
from benchmarks.workloads.models import SMALL


def one_connection(setting: Setting) -> Result:
    """p50 over p50, round by round."""
    load = machine.load()
    sides = [
        setting.gateway_side(SMALL, bodies.TENSOR, UNCACHED, connections=1),
        setting.triton_side(SMALL, bodies.TRITON, connections=1),
    ]
    taken = alternate(sides, setting.rounds, setting.told)
    added = [a.p50_ms - b.p50_ms for a, b in zip(taken[OURS], taken[DIRECT], strict=True)]
    return setting.result(
        "one-connection",
        "One connection, no cache",
        "The small model, one request at a time: what is added to Triton's own latency.",
        COLUMNS,
        closed_rows(taken),
        load_before=load,
        figures={"7": added},
        raw={side: msgspec.to_builtins(runs) for side, runs in taken.items()},
    )
