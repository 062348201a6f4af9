"""The status document (pure): what the last pass saw, for `fixgate status` and for machines."""

from collections.abc import Mapping

import msgspec

from contract.catalog import Catalog, ServedModel
from sync.observation import Observation, served_models
from sync.plan import Key
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
    refused = {(one.model, one.version): f"{one.fault}: {one.reason}" for one in refusals}
    names = sorted({*seen.desired, *seen.live.models, *served_models(catalog), *(key[0] for key in refused)})
    return Status(
        models=tuple(
            _model(name, seen, served_models(catalog).get(name), refused, report.resting, downloads)
            for name in names
        ),
        last_pass=seen.now,
        last_success=last_success,
        pass_duration_s=round(report.duration_s, 4),
        settled=report.settled,
        catalogue_revision=catalog.revision if catalog else None,
        default_model=catalog.default_model if catalog else None,
        tritons={address: states is not None for address, states in seen.states.items()},
        problems=seen.problems,
    )


def _model(
    name: str,
    seen: Observation,
    served: ServedModel | None,
    refused: Mapping[Key, str],
    resting: Mapping[Key, str],
    downloads: Mapping[Key, tuple[int, int]],
) -> ModelStatus:
    wanted = seen.desired[name].versions if name in seen.desired else {}
    live = seen.live.models.get(name)
    numbers = {*wanted, *(live.versions if live else ()), *(key[1] for key in refused if key[0] == name)}
    versions = []
    for number in sorted(numbers):
        key = (name, number)
        entry = served.version(number) if served else None
        record = live.versions.get(number) if live else None
        versions.append(
            VersionStatus(
                version=number,
                state=_state(
                    key,
                    wanted=number in wanted,
                    served=entry is not None,
                    live=live is not None and number in live.versions,
                    refused=refused,
                    resting=resting,
                ),  # fmt: skip
                wanted_by=wanted[number].reasons if number in wanted else (),
                aliases=tuple(alias for alias, to in served.aliases.items() if to == number)
                if served
                else (),
                ready={
                    address: key in states and states[key].ready
                    for address, states in seen.states.items()
                    if states is not None
                },
                digest=entry.digest if entry else record.digest if record else None,
                served_since=entry.served_since if entry else None,
                reason=refused.get(key) or resting.get(key),
                downloaded=downloads.get(key),
            )
        )
    return ModelStatus(
        name=name,
        aliases=served.aliases if served else {},
        versions=tuple(versions),
        previous_champion=served.previous_champion if served else None,
    )


def _state(
    key: Key,
    *,
    wanted: bool,
    served: bool,
    live: bool,
    refused: Mapping[Key, str],
    resting: Mapping[Key, str],
) -> str:
    """One word for where a version stands."""
    if served:
        return "served"
    if key in refused:
        return "rejected"
    if key in resting:
        return "waiting"
    if not wanted:
        return "retiring"
    return "loading" if live else "preparing"
