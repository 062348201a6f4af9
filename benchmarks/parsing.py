"""What reading a request costs: every form of one recording, against orjson + numpy in the same run.

    python -m benchmarks.parsing [--rounds 40] > benchmarks/results/parsing.md

One recording: 3 receivers, 17,920 samples, five decimals, 1.0 MB of JSON. "Read" means from the body's bytes
to a checked complex64 array: strict JSON, no ragged array, no key twice, every number finite. orjson + numpy
(`np.asarray(orjson.loads(body)["iq_data"], np.float32)`) checks only what numpy checks by itself. Times are
the thread's CPU time, as nothing here waits; in each round the ways take turns in another order.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import platform
import random
import statistics
import sys
import tarfile
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import orjson
from backports import zstd

from gateway.wire import json_text
from gateway.wire.content_encoding import decode
from gateway.wire.limits import Limits
from gateway.wire.nested import rectangular
from gateway.wire.request import JSON, NPY, RAW, SIGMF, Query, parse_batch, parse_predict
from gateway.wire.samples import iq_from_pairs

RECEIVERS, SAMPLES, BATCH = 3, 17_920, 10
BOUND_MS = 4.0
LIMITS = Limits()
PEER = "JSON, orjson + numpy"
OURS = "JSON"

LOAD = os.getloadavg()[0]

Work = Callable[[], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    ways = all_ways()
    check(ways)
    times = measure({name: work for name, (work, _) in ways.items()}, rounds)
    peer = times[PEER]
    print(f"# Reading a request: {RECEIVERS} × {SAMPLES:,} samples\n")
    print(f"{machine()}. {rounds} rounds.\n")
    print("| form | body MB | median ms | fastest ms | median of orjson + numpy |\n|---|---|---|---|---|")
    for name, (_, size) in ways.items():
        median, fastest = statistics.median(times[name]), min(times[name])
        ratio = statistics.median(a / b for a, b in zip(times[name], peer, strict=True))
        print(f"| {name} | {size / 1e6:.2f} | {median:.2f} | {fastest:.2f} | {ratio:.3f} |")
    print(f"\nBound: under {BOUND_MS:g} ms where orjson + numpy takes 18-30.", end="")
    for what, of in (("Medians", statistics.median), ("fastest rounds", min)):
        ours, theirs = of(times[OURS]), of(peer)
        print(
            f" {what}: {ours:.2f} where it takes {theirs:.1f}", end=";" if of is statistics.median else ".\n"
        )


def all_ways() -> dict[str, tuple[Work, int]]:
    """Name to what is timed and the body's size in bytes."""
    draw = np.random.default_rng(1)
    pairs = draw.normal(0, 0.1, (RECEIVERS, SAMPLES, 2)).round(5)
    iq = pairs.astype("<f4").view("<c8")[..., 0]
    text = orjson.dumps({"iq_data": pairs.tolist(), "session_id": "benchmark", "sample_rate_hz": 192_000})
    spaced = json.dumps({"iq_data": pairs.tolist()}).encode()
    many = orjson.dumps({"iq_samples": [pairs.tolist()] * BATCH})
    cf32 = (("dtype", "cf32_le"), ("receivers", str(RECEIVERS)))
    ci16 = (("dtype", "ci16_le"), ("receivers", str(RECEIVERS)))
    integers = (pairs.clip(-1, 1) * 32_767).astype("<i2").tobytes()
    return {
        PEER: (lambda: np.asarray(orjson.loads(text)["iq_data"], np.float32), len(text)),
        OURS: (lambda: parse_predict(JSON, (), text, LIMITS), len(text)),
        "JSON with spaces": (lambda: parse_predict(JSON, (), spaced, LIMITS), len(spaced)),
        "JSON, the exact way alone": (
            lambda: iq_from_pairs(
                rectangular(json_text.load(text)["iq_data"], "iq_data", of="sample"), "iq_data"
            ),
            len(text),
        ),
        f"JSON, batch of {BATCH}": (lambda: parse_batch(JSON, (), many, LIMITS), len(many)),
        "JSON, gzip": encoded("gzip", gzip.compress(text)),
        "JSON, zstd": encoded("zstd", zstd.compress(text)),
        "npy": form(NPY, (), npy(iq)),
        "npy, complex128, Fortran order": form(NPY, (), npy(np.asfortranarray(iq.astype(np.complex128)))),
        "raw cf32_le": form(RAW, cf32, iq.tobytes()),
        "raw ci16_le": form(RAW, ci16, integers),
        "SigMF with checksum": form(SIGMF, (), sigmf(iq)),
    }


def form(media_type: str, query: Query, body: bytes) -> tuple[Work, int]:
    """Reading one body of a form."""
    return lambda: parse_predict(media_type, query, body, LIMITS), len(body)


def encoded(coding: str, body: bytes) -> tuple[Work, int]:
    """Decoding and reading one body."""
    return lambda: parse_predict(JSON, (), decode(coding, body, LIMITS.body_bytes), LIMITS), len(body)


def npy(array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> bytes:
    """As `numpy.save` writes it."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def sigmf(iq: "np.ndarray[tuple[int, ...], np.dtype[np.complex64]]") -> bytes:
    """A SigMF archive."""
    data = np.ascontiguousarray(iq.T).tobytes()
    described = {
        "core:datatype": "cf32_le",
        "core:version": "1.2.0",
        "core:num_channels": len(iq),
        "core:sha512": hashlib.sha512(data).hexdigest(),
    }
    meta = json.dumps({"global": described, "captures": [], "annotations": []}).encode()
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in (("r.sigmf-meta", meta), ("r.sigmf-data", data)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def check(ways: dict[str, tuple[Work, int]]) -> None:
    """Both ways must give the same numbers, or their times say nothing."""
    theirs = np.asarray(ways[PEER][0]())
    ours = ways[OURS][0]().recording.iq  # type: ignore[attr-defined]
    assert np.stack([ours.real, ours.imag], axis=-1).tobytes() == theirs.tobytes()


def measure(ways: dict[str, Work], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each way in each round."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    shuffle = random.Random(1).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            start = time.thread_time()
            ways[name]()
            times[name].append((time.thread_time() - start) * 1e3)
    return times


def machine() -> str:
    """What the figures depend on."""
    with open("/proc/cpuinfo") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "orjson", "pysimdjson"))
    cores = f"{os.cpu_count()} cores (load average before {LOAD:.1f})"
    return f"{model}, {cores}; {platform.system()}, Python {sys.version.split()[0]}, {libraries}"


if __name__ == "__main__":
    main()
