"""What the users of a load test send."""

import io
import json
import random

import numpy as np
import pytest

from benchmarks import bodies
from benchmarks.loadtest.traffic import KINDS, KNOWN, Ask, Traffic
from benchmarks.workloads.graph import ROW


@pytest.fixture(scope="module", params=["tensor", "iq"])
def traffic(request: pytest.FixtureRequest) -> Traffic:
    return Traffic("m", tensor=request.param == "tensor")


def asks(traffic: Traffic, count: int) -> list[Ask]:
    rng = random.Random(1)
    return [traffic.ask(rng, "s") for _ in range(count)]


def first_item(ask: Ask) -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    if ask.kind == "JSON":
        document = json.loads(ask.body)
        if "features" in document:
            return np.array(document["features"], "<f4")
        return np.array(document["iq_data"], "<f4").view("<c8")[..., 0]
    if ask.kind == "raw":
        tensor = "dtype=f32_le" in ask.path
        return np.frombuffer(ask.body, "<f4" if tensor else "<c8").reshape(
            ROW if tensor else bodies.RECORDING
        )
    array: np.ndarray[tuple[int, ...], np.dtype[np.generic]] = np.load(io.BytesIO(ask.body))
    return array[0] if ask.kind.startswith("batch") else array


def test_every_kind_comes_as_often_as_stated(traffic: Traffic) -> None:
    kinds = [ask.kind for ask in asks(traffic, 400)]
    for kind, percent in KINDS.items():
        assert kinds.count(kind) / 4 == pytest.approx(percent, abs=8)


def test_every_form_carries_recordings_of_the_right_shape(traffic: Traffic) -> None:
    known = {first_item(ask).tobytes() for ask in traffic.known()}
    assert len(known) == KNOWN
    sent = [first_item(ask) for ask in asks(traffic, 60)]
    assert len({array.shape for array in sent}) == 1
    assert all(np.isfinite(array).all() for array in sent)
    seen_before = sum(array.tobytes() in known for array in sent)
    assert 60 * 0.7 < seen_before < 60


def test_some_requests_belong_to_a_session(traffic: Traffic) -> None:
    some = asks(traffic, 100)
    belonging = [ask for ask in some if "session_id=s" in ask.path or b'"session_id": "s"' in ask.body[:40]]
    assert 10 < len(belonging) < 60
    assert all("/predict/batch" in ask.path for ask in some if ask.kind.startswith("batch"))
