"""sync's view of a real Triton."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from sync.errors import TritonUnavailable
from sync.triton import Triton
from tests.sync import models
from tests.sync.rig import Rig

ZEROS = {"mel_spectrogram": np.zeros((1, *models.SHAPE), np.float32)}


@pytest.mark.stack
def test_states_settings_readiness_and_answers_of_a_served_version(sync_rig: Rig) -> None:
    sync_rig.register_files(models.localiser(1), "champion")
    sync_rig.settle()
    triton = Triton(sync_rig.triton.http)
    name = sync_rig.name
    assert triton.states()[name, 1].ready
    assert triton.ready(name, 1)
    assert not triton.ready(name, 2)
    assert triton.settings(name, 1).max_batch_size == 4
    answers = triton.infer(name, 1, ZEROS, ("positions", "uncertainties"))
    assert {key: array.shape for key, array in answers.items()} == {
        "positions": (1, 2),
        "uncertainties": (1, 2),
    }
    with pytest.raises(TritonUnavailable):
        triton.settings(name, 7)
    with pytest.raises(InferenceServerException):
        triton.infer(name, 7, ZEROS, ("positions",))


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"{}"), (200, b"not json"), (200, b'{"a": 1}'), (200, b'[{"version": "1"}]')]
)
def test_a_triton_that_answers_rubbish_is_unavailable(status: int, body: bytes) -> None:
    with answering(status, body) as address, pytest.raises(TritonUnavailable, match="no index"):
        Triton(address).states()


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that has one answer to everything; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    Handler.do_GET = Handler.do_POST = Handler.answer  # type: ignore[attr-defined]
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-host.invalid:8000"])
def test_a_triton_that_is_not_there_is_unavailable(address: str) -> None:
    with pytest.raises(TritonUnavailable, match=address):
        Triton(address).states()
    with pytest.raises(TritonUnavailable):
        Triton(address).ready("loc", 1)
