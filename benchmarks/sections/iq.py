"""IQ through the front-end, against FastAPI that runs the same front-end in its processes (bar 12)."""

import msgspec

from benchmarks import bodies, machine
from benchmarks.peers.peer import fastapi_iq
from benchmarks.record import Result
from benchmarks.rounds import alternate, ratios
from benchmarks.sections.throughput import OURS
from benchmarks.setting import COLUMNS, Failed, Setting, closed_rows, rate_plot, rates
from benchmarks.workloads.models import IQ

QUERY = "?dtype=cf32_le&receivers=3&cache_enabled=false"
BODIES = 128


def iq(setting: Setting) -> Result:
    """Recordings of 3 x 17,920 samples."""
    load = machine.load()
    peer = fastapi_iq(2)
    sides = [
        setting.gateway_side(IQ, bodies.IQ, QUERY, count=BODIES),
        setting.gateway_side(IQ, bodies.IQ, QUERY, workers=1, count=BODIES),
        setting.peer_side(peer, IQ, count=BODIES),
    ]
    setting.left_out.clear()
    taken = alternate(sides, setting.rounds, setting.told)
    if peer.name in setting.left_out:
        raise Failed(setting.left_out[peer.name])
    return setting.result(
        "iq",
        "IQ through the front-end, no cache",
        f"{setting.connections} connections, recordings of 3 × 17,920 samples as cf32 (430 KB), the small "
        "model. FastAPI with two workers runs the gateway's own front-end, in float64, and onnxruntime in "
        "a thread for every request: only the serving differs.",
        COLUMNS,
        closed_rows(taken),
        load_before=load,
        figures={"12": ratios(rates(taken[OURS]), rates(taken[peer.name]))},
        plots=[rate_plot("IQ through the front-end", taken)],
        raw={side: msgspec.to_builtins(runs) for side, runs in taken.items()},
    )
