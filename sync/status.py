"""The status document (pure): what the last pass saw, for `fixgate status` and for machines."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from contract.catalog import Catalog, ServedModel
from sync.observation import Observation, served_models, standing_keys, wanted_refusals
from sync.plan import MODEL_ITSELF, Key
from sync.quarantine import Refusal
from sync.reconcile import Report


class VersionStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version. `ready` by Triton's address; `reason` says why it is refused or waits."""

    version: int
    state: str
    wanted_by: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ready: dict[str, bool] = {}
    digest: str | None = None
    served_since: float | None = None
    reason: str | None = None
    downloaded: tuple[int, int] | None = None


class ModelStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """One model; `aliases` as the gateways follow them."""

    name: str
    aliases: dict[str, int]
    versions: tuple[VersionStatus, ...]
    previous_champion: int | None = None


class Status(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything; times in Unix seconds."""

    models: tuple[ModelStatus, ...] = ()
    last_pass: float | None = None
    last_success: float | None = None
    pass_duration_s: float | None = None
    settled: bool = False
    catalogue_revision: int | None = None
    default_model: str | None = None
    tritons: dict[str, bool] = {}
    problems: tuple[str, ...] = ()


def describe(
    report: Report | None,
    last_success: float | None,
    catalog: Catalog | None,
    refusals: tuple[Refusal, ...],
    downloads: Mapping[Key, tuple[int, int]],
) -> Status:
    """The document for what the last pass saw."""
    if report is None:
        return Status(catalogue_revision=catalog.revision if catalog else None)
    seen = report.seen
    refusals = wanted_refusals(refusals, seen.desired)
    refused = {
        (one.model, one.version): f"{one.fault}: {one.reason}"
        for one in refusals
        if one.version != MODEL_ITSELF
    }
    settings = tuple(
        f"{one.model}: settings {one.identity} refused ({one.fault}): {one.reason}"
        for one in refusals
        if one.version == MODEL_ITSELF
    )
    served = served_models(catalog)
    view = _View(seen, served, refused, report.resting, downloads)
    names = sorted({*seen.desired, *seen.live.models, *served, *(name for name, _ in refused)})
    return Status(
        models=tuple(view.model(name) for name in names),
        last_pass=seen.now,
        last_success=last_success,
        pass_duration_s=round(report.duration_s, 4),
        settled=report.settled,
        catalogue_revision=catalog.revision if catalog else None,
        default_model=catalog.default_model if catalog else None,
        tritons={address: states is not None for address, states in seen.states.items()},
        problems=seen.problems + settings,
    )


@dataclass(frozen=True, slots=True)
class _View:
    seen: Observation
    served: Mapping[str, ServedModel]
    refused: Mapping[Key, str]
    resting: Mapping[Key, str]
    downloads: Mapping[Key, tuple[int, int]]

    def model(self, name: str) -> ModelStatus:
        wanted, live, served = (
            self.seen.desired.get(name),
            self.seen.live.models.get(name),
            self.served.get(name),
        )
        numbers = {number for model, number in self.refused if model == name}
        numbers |= {*(wanted.versions if wanted else ()), *(live.versions if live else ())}
        return ModelStatus(
            name=name,
            aliases=served.aliases if served else {},
            versions=tuple(self._version(name, number) for number in sorted(numbers)),
            previous_champion=served.previous_champion if served else None,
        )

    def _version(self, name: str, number: int) -> VersionStatus:
        key = (name, number)
        wanted, served = self.seen.desired.get(name), self.served.get(name)
        reasons = wanted.versions[number].reasons if wanted and number in wanted.versions else ()
        entry = served.version(number) if served else None
        aliases = served.aliases.items() if served else ()
        return VersionStatus(
            version=number,
            state="served" if entry else self._state(key, wanted=bool(reasons)),
            wanted_by=reasons,
            aliases=tuple(alias for alias, to in aliases if to == number),
            ready={
                address: key in states and states[key].ready
                for address, states in self.seen.states.items()
                if states is not None
            },
            digest=entry.digest if entry else None,
            served_since=entry.served_since if entry else None,
            reason=self.refused.get(key) or self.resting.get(key),
            downloaded=self.downloads.get(key),
        )

    def _state(self, key: Key, *, wanted: bool) -> str:
        """Where a version that is not served stands, in one word."""
        if key in self.refused:
            return "rejected"
        if key in self.resting:
            return "waiting"
        if not wanted:
            return "retiring"
        return "loading" if key in standing_keys(self.seen.live) else "preparing"
