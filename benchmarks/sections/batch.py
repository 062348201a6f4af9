"""What a batch of a hundred costs, beside one item."""

import asyncio
import io

import numpy as np

from benchmarks import bodies, in_process, machine
from benchmarks.record import Result
from benchmarks.rounds import Side, alternate, ratios, spread
from benchmarks.service import CACHE
from benchmarks.setting import UNSHED, Setting
from benchmarks.workloads.models import TINY
from cli.load import closed_loop, message
from cli.load.connection import Pool
from cli.load.figures import figures

ITEMS = 100
NPY = {"Content-Type": "application/x-npy", **bodies.PATIENCE}


def batch(setting: Setting) -> Result:
    """Through the gateway, and by onnxruntime alone: no gateway can make the model itself cheaper."""
    load = machine.load()
    path = f"/models/{TINY.name}/predict"
    model = str(TINY.file(CACHE / "models"))
    with setting.service().gateway(UNSHED) as gateway:
        sides = [
            Side("fixgate, one item", lambda: _latency(gateway.url + path, _npy(1)[0], setting)),
            Side("fixgate, 100 items", lambda: _latency(gateway.url + path + "/batch", _npy(ITEMS), setting)),
            Side("onnxruntime, one row", lambda: in_process.latency_ms(model, 1, setting.seconds / 2)),
            Side("onnxruntime, 100 rows", lambda: in_process.latency_ms(model, ITEMS, setting.seconds / 2)),
        ]
        taken = alternate(sides, setting.rounds, lambda name, ms: setting.say(f"  {name}: {ms:.1f} ms"))
    one, hundred, row, rows = taken.values()
    return setting.result(
        "batch",
        "A batch of 100 items",
        "ConvNeXt-Tiny, no cache, npy bodies, one request at a time; the median latency of each round. "
        "Beside it, what onnxruntime itself needs in process for one row and for 100 (the best of batches "
        "of 16, 32, 50 and 100): no gateway can make the model cheaper than that.",
        ("", "ms", "÷ one"),
        [
            ["fixgate, one item", spread(one), ""],
            ["fixgate, 100 items", spread(hundred), spread(ratios(hundred, one))],
            ["onnxruntime, one row", spread(row), ""],
            ["onnxruntime, 100 rows", spread(rows), spread(ratios(rows, row))],
        ],
        load_before=load,
        figures={"batch": ratios(hundred, one)},
    )


def _npy(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.stack([bodies.tensor(number) for number in range(count)])


def _latency(url: str, array: np.ndarray[tuple[int, ...], np.dtype[np.float32]], setting: Setting) -> float:
    file = io.BytesIO()
    np.save(file, array)
    request = message.post(url + "?cache_enabled=false", file.getvalue(), NPY)
    return asyncio.run(_median(url, request, setting.seconds))


async def _median(url: str, request: bytes, seconds: float) -> float:
    pool = Pool(message.address(url))
    try:
        samples = await closed_loop.run(pool, lambda _: request, clients=1, seconds=seconds)
    finally:
        pool.close()
    told = figures(samples)
    if told.failed:
        raise RuntimeError(f"{told.failed} of {told.requests} requests failed")
    return told.p50_ms
