"""A Triton that does what the test says, and versions for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tritonclient.utils import InferenceServerException

from sync import record
from sync.errors import TritonUnavailable
from sync.repository import Repository
from sync.settings import Settings
from sync.triton import States, VersionState
from tests.sync import makers
from tests.sync.makers import registered
from tests.sync.models import SHAPE

READY = VersionState("READY")
ROWS = np.zeros((2, *SHAPE), np.float32)
ANSWER = np.array([[45.0, 9.0]] * 2, np.float32)


class FakeTriton:
    """Loads what the repository's config names, unless told otherwise."""

    def __init__(self, repository: Repository, address: str = "t:8000") -> None:
        self.address = address
        self.repository = repository
        self.state: Callable[[int], VersionState | None] = lambda _number: READY
        self.up = True
        self.offset = 0.0
        self.fails = False
        self.status = "400"
        self.dies_at: int | None = None
        self.asked: list[int] = []
        self.stuck_on: Settings | None = None

    def states(self) -> States:
        if not self.up:
            raise TritonUnavailable("down")
        config = self.repository.read_config("loc")
        found = {("loc", one): self.state(one) for one in (config.versions if config else ())}
        return {key: state for key, state in found.items() if state is not None}

    def ready(self, model: str, version: int) -> bool:
        state = self.states().get((model, version))
        return state is not None and state.ready

    def settings(self, model: str, _version: int) -> Settings:
        config = self.repository.read_config(model)
        assert config is not None
        return self.stuck_on or config.settings

    def infer(self, _model: str, _version: int, inputs: Any, _outputs: Any) -> dict[str, Any]:
        rows = len(inputs["mel_spectrogram"])
        self.asked.append(rows)
        if rows == self.dies_at:
            raise TritonUnavailable("connection reset")
        if self.fails:
            raise InferenceServerException("cuda error", self.status)
        return {"positions": np.repeat(ANSWER[:1], rows, axis=0) + self.offset}


def staged(repo: Repository, number: int) -> Path:
    """A version's folder in staging."""
    folder = repo.new_folder("stage") / "version"
    folder.mkdir()
    (folder / record.NAME).write_bytes(record.dump(makers.record(registered(number))))
    np.savez(folder / record.PROOF, **{"in:mel_spectrogram": ROWS, "out:positions": ANSWER})
    return folder
