"""How many requests a second without any cache: the gateway, Triton itself, and the peers (bars 1-5)."""

import statistics
import subprocess
import sys

import msgspec

from benchmarks import bodies, machine
from benchmarks.record import Result
from benchmarks.rounds import Side, alternate, ratios
from benchmarks.service import CACHE
from benchmarks.setting import UNCACHED, Setting, closed_rows, rate_plot, rates
from benchmarks.workloads.models import LARGE, SMALL, TINY, Workload
from benchmarks.wrk import Measured

IN_PROCESS = "onnxruntime in process, best batch and threads"
DIRECT, OURS = "Triton direct, HTTP binary", "fixgate"


def small(setting: Setting) -> Result:
    """Where the work around the model is what counts."""
    return _throughput(setting, "small", SMALL, "Small model (four convolutions, 0.97 MB)")


def tiny(setting: Setting) -> Result:
    """A real model."""
    return _throughput(setting, "tiny", TINY, "ConvNeXt-Tiny (28 M parameters, 111 MB)")


def large(setting: Setting) -> Result:
    """A model that leaves nothing for anything else."""
    return _throughput(setting, "large", LARGE, "ConvNeXt-Large (197 M parameters, 786 MB)")


def _throughput(setting: Setting, name: str, workload: Workload, title: str) -> Result:
    load = machine.load()
    setting.left_out.clear()
    sides = [
        setting.gateway_side(workload, bodies.TENSOR, UNCACHED),
        setting.gateway_side(workload, bodies.TENSOR, UNCACHED, workers=1),
        setting.triton_side(workload, bodies.TRITON),
        setting.triton_grpc_side(workload),
        Side(IN_PROCESS, lambda: in_process(workload, setting.seconds)),
        *(setting.peer_side(peer, workload) for peer in setting.chosen_peers()),
    ]
    taken = alternate(sides, setting.rounds, setting.told)
    taken = {side: runs for side, runs in taken.items() if side not in setting.left_out}
    names = [peer.name for peer in setting.chosen_peers()]
    peers = {peer: rates(taken[peer]) for peer in names if peer in taken}
    return setting.result(
        name,
        f"{title}, no cache",
        f"{setting.connections} connections (wrk), one row a request, a closed loop of {setting.seconds:g} "
        "s a round after a warm-up; all sides take turns within each round. Bodies: the float32 tensor for "
        "fixgate, Triton, FastAPI and Ray, JSON for those that read nothing else. fixgate runs as `fixgate "
        "up` starts it, a worker for each core, with validation, ellipse, metrics, request ids. Peers that "
        "run one call at a time are tried with one thread of onnxruntime and with two; LitServe also with "
        "two workers of one thread, as fixgate has two instances of the model.",
        ("served by", "requests/s", "p50 ms", "p95 ms", "p99 ms", "requests", "failed"),
        closed_rows(taken),
        load_before=load,
        figures=_figures(name, taken, peers),
        plots=[rate_plot(title, taken)],
        notes=[f"{peer} has no row: {why}." for peer, why in setting.left_out.items()],
        raw={side: msgspec.to_builtins(runs) for side, runs in taken.items()},
    )


def _figures(
    name: str, taken: dict[str, list[Measured]], peers: dict[str, list[float]]
) -> dict[str, list[float]]:
    ours = rates(taken[OURS])
    if name == "small":
        figures = {"1": ratios(ours, rates(taken[DIRECT]))}
        if "FastAPI, 2 workers" in peers:
            figures["2"] = ratios(ours, peers["FastAPI, 2 workers"])
        return figures
    if name == "tiny":
        figures = {
            "3": ratios(ours, rates(taken[IN_PROCESS])),
            "5": [run.p95_ms for run in taken[OURS]],
        }
        if peers:
            figures["4"] = ratios(ours, max(peers.values(), key=statistics.median))
        return figures
    return {}


def in_process(workload: Workload, seconds: float) -> Measured:
    """Rows a second of onnxruntime alone, with the batch and the threads that suit it best."""
    command = (sys.executable, "-m", "benchmarks.in_process", str(workload.file(CACHE / "models")))
    told = subprocess.run([*command, str(seconds)], check=True, capture_output=True, text=True).stdout
    return msgspec.json.decode(told, type=Measured)
