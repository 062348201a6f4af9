"""wrk's scripts and figures."""

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bodies, wrk
from benchmarks.bodies import Form


def test_the_last_line_says_it_all() -> None:
    line = '{"requests":100,"seconds":2.0,"failed":1,"p50_ms":1.0,"p95_ms":2.0,"p99_ms":3.0}'
    told = wrk.parse(f"Running 2s test\nFIGURES {line}\n")
    assert (told.rate, told.failed, told.p99_ms) == (50.0, 1, 3.0)


def test_a_script_sends_bodies_that_all_differ(tmp_path: Path) -> None:
    form = Form("tiny", lambda row: row.tobytes()[:8])
    script = wrk.script(tmp_path, form, 3)
    sent = (tmp_path / "tiny-3.bin").read_bytes()
    assert [sent[place : place + 8] for place in (0, 8, 16)] == form.bodies(3)
    assert len(set(form.bodies(3))) == 3
    assert "{8,8,8}" in script.read_text()


def test_a_sequence_is_written_with_three_bytes_a_number(tmp_path: Path) -> None:
    wrk.sequence_script(tmp_path, "s", np.array([1, 256, (1 << 23) - 1]), ["/a"], first=5)
    assert (tmp_path / "s.seq").read_bytes() == bytes((1, 0, 0, 0, 1, 0, 255, 255, 127))
    highest = np.frombuffer(bytes((255, 255, 127, 63)), "<f4")
    assert np.isfinite(highest).all()


@pytest.mark.parametrize(
    "form", [bodies.TENSOR, bodies.TRITON, bodies.HEX, bodies.LIST, bodies.V2, bodies.MLFLOW]
)
def test_every_form_carries_the_same_row(form: Form) -> None:
    row = bodies.tensor(7)
    body = form.encode(row)
    match form.name:
        case "tensor":
            read = np.frombuffer(body, "<f4")
        case "triton":
            read = np.frombuffer(body[int(form.headers["Inference-Header-Content-Length"]) :], "<f4")
        case "hex":
            read = np.frombuffer(bytes.fromhex(body[7:-2].decode()), "<f4")
        case _:
            digits = re.findall(rb"-?\d+\.\d+(?:e-?\d+)?", body)
            read = np.array([float(one) for one in digits], "<f4")
    np.testing.assert_allclose(read, row.ravel(), rtol=1e-6)
