"""Find a model's settings by measuring them through Triton itself, on a copy beside the model that serves.

The copy is a model of its own with the same files, which sync does not own and leaves alone.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from sync import load, pbtxt
from sync.config import Config
from sync.errors import Refused
from sync.load import Measured
from sync.location import open_repository
from sync.record import Record
from sync.registry import Registry
from sync.repository import TRIAL_PREFIX, LiveModel, Repository
from sync.settings import SETTINGS_TAG, Kind, Settings, dump_tag
from sync.triton import Triton

BATCH_SIZES = (1, 4, 8, 16, 32, 64)
ASK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings and what came of them; None: Triton could not load the model so, `reason` says why."""

    settings: Settings
    measured: Measured | None
    reason: str = ""

    def meets(self, goal_ms: float) -> bool:
        """Whether every request was answered, 95 % of them within the goal."""
        return self.measured is not None and not self.measured.failures and self.measured.p95_ms <= goal_ms


@dataclass(frozen=True, slots=True)
class Terms:
    """How to measure: requests of one row from so many clients at once, for so long."""

    goal_ms: float = 500.0
    clients: int = 32
    seconds: float = 3.0


def candidates(cores: int, kind: Kind, batch_sizes: tuple[int, ...] = BATCH_SIZES) -> Iterator[Settings]:
    """Settings worth a trial: the cores in one instance or shared by several, each with every batch size."""
    shares = {1, cores} | ({2} if cores >= 4 else set()) if kind == "cpu" else {1, 2}
    for instances in sorted(shares):
        for size in batch_sizes:
            yield Settings(size, instances, max(1, cores // instances), kind)


def choose(trials: list[Trial], goal_ms: float) -> Trial | None:
    """The highest throughput within the goal, else the lowest latency; None when nothing was measured."""
    measured = [one for one in trials if one.measured is not None]
    good = [one for one in measured if one.meets(goal_ms)]
    if good:
        return max(good, key=lambda one: one.measured.rows_per_s if one.measured else 0.0)
    return min(measured, key=lambda one: one.measured.p95_ms if one.measured else 0.0, default=None)


def tune(
    config: Config, model: str, settings: Iterator[Settings], terms: Terms, told: Callable[[Trial], None]
) -> list[Trial]:
    """Measure each of the settings with the newest version that is served.

    Raises:
        Refused: the model is not served from this repository.
        TritonUnavailable: the first Triton does not answer.
        RepositoryUnavailable: the repository cannot be read or written.
    """
    repository = open_repository(config)
    triton = Triton(config.triton_http[0])
    live = repository.observe().models.get(model)
    number = max(live.configured, default=None) if live else None
    known = live.versions[number] if live and number is not None else None
    if live is None or number is None or known is None:
        raise Refused("name", f"{model!r} is not served from {config.model_repository}")
    _clear_leftovers(repository)
    bench = _Bench(repository, triton, live, known, terms, config.load_timeout_s)
    trials = []
    for one in settings:
        trials.append(bench.try_out(one))
        told(trials[-1])
    return trials


@dataclass(frozen=True, slots=True)
class _Bench:
    repository: Repository
    triton: Triton
    live: LiveModel
    known: Record
    terms: Terms
    load_timeout_s: float

    def try_out(self, settings: Settings) -> Trial:
        name = TRIAL_PREFIX + uuid.uuid4().hex[:8]
        recorded = BytesIO(self.repository.read_proof(self.live.name, self.known.version))
        try:
            self.repository.add_trial(pbtxt.trial(self.live.config, name, settings), self.known)
            reason = _wait(self.triton, name, self.load_timeout_s)
            if reason:
                return Trial(settings, None, reason)
            with np.load(recorded, allow_pickle=False) as arrays:
                row = {key.removeprefix("in:"): arrays[key][:1] for key in arrays if key.startswith("in:")}
            outputs = tuple(one.name for one in self.known.outputs)
            request = load.Request(self.triton.address, name, row, outputs)
            return Trial(settings, load.measure(request, self.terms.clients, self.terms.seconds))
        finally:
            self.repository.remove_model(name)


def _wait(triton: Triton, name: str, timeout_s: float) -> str:
    """Wait until the copy is ready; why it is not, or nothing."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        state = triton.states().get((name, 1))
        if state is not None and state.ready:
            return ""
        if state is not None and state.failed:
            return state.reason
        time.sleep(ASK_EVERY_S)
    return f"not ready within {timeout_s:g} s"


def _clear_leftovers(repository: Repository) -> None:
    """Copies of a tune that was killed; a model of such a name that sync serves is none."""
    for name in repository.trials():
        config = repository.read_config(name)
        if config is None or not config.owned:
            repository.remove_model(name)


def apply(config: Config, model: str, settings: Settings) -> None:
    """Put settings in force: sync follows the registered model's tag.

    Raises:
        RegistryUnavailable: MLflow does not answer, or has no such model.
    """
    Registry(config.mlflow_uri).tag_model(model, SETTINGS_TAG, dump_tag(settings))
