"""Look at the registry, the repository and every Triton."""

import time
from collections.abc import Iterable
from typing import Protocol

from sync.config import Config
from sync.desired import RegisteredModel, select
from sync.errors import RegistryUnavailable, TritonUnavailable
from sync.observation import Observation
from sync.repository import Live
from sync.triton import States


class Registry(Protocol):
    """Says what is registered."""

    def models(self) -> list[RegisteredModel]: ...


class Repository(Protocol):
    """Says what is live."""

    def observe(self) -> Live: ...


class Triton(Protocol):
    """Says what it has loaded."""

    @property
    def address(self) -> str: ...

    def states(self) -> States: ...


def survey(
    config: Config,
    registry: Registry,
    repository: Repository,
    tritons: Iterable[Triton],
    known: tuple[RegisteredModel, ...] = (),
) -> Observation:
    """What there is now; `known` stands in for a registry that does not answer.

    Raises:
        RepositoryUnavailable: the repository cannot be read.
    """
    problems: list[str] = []
    fresh = True
    try:
        known = tuple(registry.models())
    except RegistryUnavailable as error:
        fresh = False
        problems.append(str(error))
    desired = select(known, patterns=config.models, keep=config.keep)
    live = repository.observe()
    states: dict[str, States | None] = {}
    for triton in tritons:
        try:
            states[triton.address] = triton.states()
        except TritonUnavailable as error:
            states[triton.address] = None
            problems.append(str(error))
    if fresh and not desired and live.models:
        problems.append("the registry has nothing to serve in the selected models: what is served stays")
    problems += [f"{name}: {text}" for name, model in desired.items() for text in model.problems]
    problems += [f"{name}: not made by fixgate, left alone" for name in live.foreign]
    return Observation(
        time.time(), known, fresh, desired, live, states, tuple(problems), moment=time.monotonic()
    )
