"""Load from wrk: closed loop, many connections, a body of its own for every request in flight."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.bodies import Form, tensor

SCRIPT = """
local file, requests, place = io.open("{bodies}", "rb"), {{}}, 0
wrk.method = "POST"
init = function()
  for _, length in ipairs({{{lengths}}}) do
    requests[#requests + 1] = wrk.format(nil, nil, {{{headers}}}, file:read(length))
  end
end
request = function()
  place = place % #requests + 1
  return requests[place]
end
"""
# The number of the recording stands in the mantissa of the tensor's first value, so that it stays finite.
SEQUENCE_SCRIPT = """
local file = io.open("{body}", "rb")
local tail = file:read("*a"):sub(5)
file = io.open("{sequence}", "rb")
local sequence, place, paths = file:read("*a"), {first}, {{{paths}}}
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.headers["X-Request-Timeout-Ms"] = "20000"
request = function()
  local at = 3 * (place % (#sequence / 3))
  place = place + 1
  local first = sequence:sub(at + 1, at + 3) .. "\\63"
  return wrk.format(nil, paths[place % #paths + 1], wrk.headers, first .. tail)
end
"""
DONE = """
done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '\\nFIGURES {"requests":%d,"seconds":%.6f,"failed":%d,"p50_ms":%.4f,"p95_ms":%.4f,"p99_ms":%.4f}\\n',
    summary.requests, summary.duration / 1e6, failed, latency:percentile(50) / 1e3,
    latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
"""


class NotInstalled(Exception):
    """wrk is not there and cannot be installed."""


class Measured(msgspec.Struct, frozen=True):
    """One run of a closed loop; `failed` are answers that are no success, and connections lost."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def ensure() -> str:
    """The path of wrk, installed from Debian's packages when it is missing.

    Raises:
        NotInstalled: there is none, and no way to install it.
    """
    if found := shutil.which("wrk"):
        return found
    for command in (("apt-get", "update", "-qq"), ("apt-get", "install", "-qq", "-y", "wrk")):
        if not shutil.which("apt-get") or subprocess.run(command, check=False).returncode:
            break
    if found := shutil.which("wrk"):
        return found
    raise NotInstalled("wrk is missing: apt install wrk (as root), or another package of it on PATH")


def script(folder: Path, form: Form, count: int = 256) -> Path:
    """A wrk script that sends `count` bodies of that form in turn: more than there are connections.

    Made ready before the clock starts; so nothing that is sent is made or copied by Lua.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made, path = folder / f"{form.name}-{count}.bin", folder / f"{form.name}-{count}.lua"
    if not path.exists():
        bodies = form.bodies(count)
        made.write_bytes(b"".join(bodies))
        headers = ", ".join(f'["{name}"]={json.dumps(value)}' for name, value in form.headers.items())
        lengths = ",".join(str(len(body)) for body in bodies)
        path.write_text(SCRIPT.format(bodies=made.resolve(), lengths=lengths, headers=headers) + DONE)
    return path


def sequence_script(
    folder: Path, name: str, numbers: NDArray[np.integer], paths: Sequence[str], first: int = 0
) -> Path:
    """A wrk script that sends the tensors with these numbers (0 to 2^23 - 1), from the `first` on, in turn.

    Each goes to the next of `paths`, so that a part of them can be asked for in another way.
    """
    folder.mkdir(parents=True, exist_ok=True)
    body, sequence, path = folder / "tensor.bin", folder / f"{name}.seq", folder / f"{name}.lua"
    body.write_bytes(tensor(0).tobytes())
    sequence.write_bytes(np.asarray(numbers, "<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    listed = ", ".join(json.dumps(one) for one in paths)
    given = {"body": body.resolve(), "sequence": sequence.resolve(), "paths": listed, "first": first}
    path.write_text(SEQUENCE_SCRIPT.format(**given) + DONE)
    return path


def run(url: str, script: Path, *, connections: int, seconds: float) -> Measured:
    """One run.

    Raises:
        NotInstalled: wrk cannot be had.
        subprocess.CalledProcessError: wrk could not connect.
    """
    options = ("-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s", "--latency")
    told = subprocess.run(
        [ensure(), *options, "-s", str(script), url], check=True, capture_output=True, text=True
    ).stdout
    return parse(told)


def parse(told: str) -> Measured:
    """What the script's last line says."""
    line = next(line for line in told.splitlines() if line.startswith("FIGURES "))
    return msgspec.json.decode(line.removeprefix("FIGURES "), type=Measured)
