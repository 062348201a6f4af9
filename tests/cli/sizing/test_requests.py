"""Requests made up for a model."""

from typing import Any

import pytest

from cli.load.message import address
from cli.sizing.requests import Unusable, made_up


def described(contract_input: dict[str, Any], shape: list[int]) -> dict[str, Any]:
    return {"contract": {"input": contract_input}, "inputs": [{"name": "x", "shape": shape}]}


MEL = {"tensor": "x", "kind": "mel", "receivers": 3, "frontend": {"n_fft": 2048, "hop": 512, "frames": 32}}


@pytest.mark.parametrize(
    ("given", "shape", "query", "size"),
    [
        (MEL, [3, 128, 32], b"dtype=cf32_le&receivers=3", 3 * (32 * 512 + 2048) * 8),
        ({**MEL, "receivers": [{"id": "a"}, {"id": "b"}]}, [2, 8, 4], b"receivers=2", 2 * 18432 * 8),
        ({"tensor": "x", "kind": "iq"}, [3, 4096, 2], b"dtype=cf32_le&receivers=3", 3 * 4096 * 8),
        ({"tensor": "x", "kind": "tensor"}, [3, 8, 4], b"dtype=f32_le", 3 * 8 * 4 * 4),
    ],
)
def test_the_input_is_what_the_contract_wants(
    given: dict[str, Any], shape: list[int], query: bytes, size: int
) -> None:
    requests = made_up("http://h:1/", "m", described(given, shape), None)
    assert len(set(requests)) == len(requests) > 1
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /models/m/predict?cache_enabled=false&")
    assert query in head.splitlines()[0]
    assert len(body) == size
    assert b"Authorization" not in head
    assert address("http://h:1/").port == 1


def test_the_key_goes_along() -> None:
    (request, *_) = made_up("http://h:1", "m", described({"tensor": "x", "kind": "tensor"}, [2]), "secret")
    assert b"Authorization: Bearer secret\r\n" in request


def test_an_unknown_size_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(Unusable, match=r"\[3, -1, 2\].*--recording"):
        made_up("http://h:1", "m", described({"tensor": "x", "kind": "iq"}, [3, -1, 2]), None)
