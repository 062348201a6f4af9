"""Steps 4 to 7 of publishing, in a straight line: place the version, commit it in the config, wait until
every Triton has it ready, prove it through each. What is already done is not done again."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sync import pbtxt, proof
from sync.errors import Refused, TritonLost, TritonUnavailable
from sync.record import Record
from sync.repository import Repository
from sync.settings import Settings
from sync.triton import Triton

log = logging.getLogger(__name__)

ASK_EVERY_S = 0.1


class Before(NamedTuple):
    """The Tritons before something new: who answered, what had failed (address, version, reason)."""

    answering: frozenset[str]
    failures: frozenset[tuple[str, int, str]]


class Stopped(Exception):  # not an error: the process ends, the next one goes on
    """sync is stopping while a version was on its way."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Brings versions into one repository, for these Tritons. `pause` waits, and says whether to stop."""

    repository: Repository
    tritons: tuple[Triton, ...]
    load_timeout_s: float
    pause: Callable[[float], bool]

    def publish(
        self,
        model: str,
        number: int,
        record: Record,
        staged: Path | None,
        settings: Settings,
        *,
        serving: bool = False,
    ) -> None:
        """Publish one version.

        Args:
            staged: its folder in staging; None when it stands in the repository already.
            settings: for the config, if this is the model's first version.
            serving: it was proved before and answers requests: only other answers take it out.

        Raises:
            Refused: a Triton cannot load it, or answers otherwise than preflight; it is out again.
            TritonLost: a Triton stopped answering over it; it is out again, unless it is serving.
            TritonUnavailable: a Triton does not answer; the version stays where it is for the next try.
            RepositoryUnavailable: the repository cannot be written.
            Stopped: the process is stopping.
        """
        before = self._before(model)
        try:
            self._place(model, number, record, staged, settings)
            self._commit(model, number)
            self._wait(model, (number,), before)
            self._prove(model, number, before)
        except (Refused, TritonLost) as error:
            if serving and not (isinstance(error, Refused) and error.fault == "proof"):
                raise TritonUnavailable(f"{error}; served as before") from error
            self._take_back(model, number)
            raise

    def reconfigure(self, model: str, settings: Settings) -> tuple[int, ...]:
        """Put other settings in force and prove every version under them; the versions.

        Raises:
            Refused: a Triton cannot load the model so, or answers otherwise; the old settings are back.
            TritonLost: a Triton stopped answering over them; the old settings are back.
            TritonUnavailable, RepositoryUnavailable, Stopped: as in `publish`.
        """
        old = self._config(model)
        numbers = old.versions
        before = self._before(model)
        try:
            self.repository.write_config(pbtxt.with_settings(old, settings))
            self._wait(model, numbers, before)
            for number in numbers:
                self._prove(model, number, before)
        except (Refused, TritonLost):
            self.repository.write_config(old)
            raise
        return numbers

    def _place(
        self, model: str, number: int, record: Record, staged: Path | None, settings: Settings
    ) -> None:
        if staged is None:
            return
        if self.repository.read_config(model) is None:
            config = pbtxt.render(model, settings, record.inputs, record.outputs, (number,))
            self.repository.add_model(config, number, staged)
        else:
            self.repository.add_version(model, number, staged)
        self.repository.drop(staged.parent)

    def _commit(self, model: str, number: int) -> None:
        config = self._config(model)
        if number not in config.versions:
            present = [one for one in config.versions if self.repository.has_version(model, one)]
            self.repository.write_config(pbtxt.with_versions(config, (*present, number)))

    def _wait(self, model: str, numbers: tuple[int, ...], before: Before) -> None:
        started = time.monotonic()
        rewritten = False
        while True:
            late = [one for one in self.tritons if not self._ready(one, model, numbers, before)]
            if not late:
                return
            waited = time.monotonic() - started
            if waited > self.load_timeout_s:
                raise self._too_late(late, before)
            if waited > self.load_timeout_s / 2 and not rewritten:
                # A Triton that polls an object store has been seen to miss a change until the next one.
                self.repository.write_config(self._config(model))
                rewritten = True
            if self.pause(ASK_EVERY_S):
                raise Stopped

    def _ready(self, triton: Triton, model: str, numbers: tuple[int, ...], before: Before) -> bool:
        """Whether a Triton has these versions ready under the config that is in place."""
        try:
            states = triton.states()
            for number in numbers:
                state = states.get((model, number))
                if state is None:
                    return False
                if state.failed and (triton.address, number, state.reason) not in before.failures:
                    raise Refused("triton", f"Triton at {triton.address} cannot load it: {state.reason}")
                if not state.ready:
                    return False
            return triton.settings(model, numbers[0]) == self._config(model).settings
        except TritonUnavailable:
            return False

    def _too_late(self, late: list[Triton], before: Before) -> Exception:
        for triton in late:
            try:
                triton.states()
            except TritonUnavailable as error:
                return _lost(error, triton, before)
        names = ", ".join(one.address for one in late)
        return Refused("triton", f"not ready within {self.load_timeout_s:g} s on {names}")

    def _prove(self, model: str, number: int, before: Before) -> None:
        recorded = self.repository.read_proof(model, number)
        for triton in self.tritons:
            try:
                proof.prove(triton, model, number, recorded, self._config(model).settings.max_batch_size)
            except TritonUnavailable as error:
                raise _lost(error, triton, before) from error

    def _take_back(self, model: str, number: int) -> None:
        """Put the config back as it was before, then take the folder out."""
        config = self.repository.read_config(model)
        if config is None:
            return
        others = tuple(one for one in config.versions if one != number)
        if others:
            self.repository.write_config(pbtxt.with_versions(config, others))
            self.repository.remove_version(model, number)
        else:
            self.repository.remove_model(model)

    def _before(self, model: str) -> Before:
        """What each Triton has failed to load by now must not count against a new try."""
        answering, found = set(), set()
        for triton in self.tritons:
            try:
                states = triton.states()
            except TritonUnavailable:
                continue
            answering.add(triton.address)
            found |= {
                (triton.address, number, state.reason)
                for (name, number), state in states.items()
                if name == model and state.failed
            }
        return Before(frozenset(answering), frozenset(found))

    def _config(self, model: str) -> pbtxt.ServingConfig:
        config = self.repository.read_config(model)
        if config is None:
            raise Refused("triton", f"the config of {model} has vanished from the model repository")
        return config


def _lost(error: TritonUnavailable, triton: Triton, before: Before) -> TritonUnavailable:
    """Whoever had answered until then may have fallen over what is new."""
    if triton.address not in before.answering:
        return error
    return TritonLost(f"{error}; it stopped answering while this was loaded or tried")


def retire(repository: Repository, model: str, numbers: tuple[int, ...]) -> None:
    """Take versions out: first out of the config, then their folders; the whole model with the last one."""
    config = repository.read_config(model)
    if config is None:
        return
    left = tuple(one for one in config.versions
                 if one not in numbers and repository.has_version(model, one))  # fmt: skip
    if not left:
        repository.remove_model(model)
        return
    if left != config.versions:
        repository.write_config(pbtxt.with_versions(config, left))
    for number in numbers:
        repository.remove_version(model, number)
