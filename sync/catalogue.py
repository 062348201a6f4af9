"""What the gateways are told (pure): from what is wanted, live and proven to the models of the catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contract import model as contracts
from contract.catalog import Catalog, RoutePolicy, ServedModel, ServedVersion
from contract.model import ModelContract
from sync import agreement
from sync.desired import NUMBER, Desired, RegisteredVersion, WantedModel, routing_etag
from sync.errors import Refused
from sync.plan import Key, Situation, standing
from sync.record import Record
from sync.repository import Live, LiveModel


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else decides: versions proved at any time (the largest batch each was proved with), versions
    that stopped being ready, aliases that only just vanished, the time."""

    now: float
    proven: Mapping[Key, int] = field(default_factory=dict)
    unready: frozenset[Key] = frozenset()
    lingering: frozenset[tuple[str, str]] = frozenset()
    run_url: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """The models to publish, and the faults found in contracts that are only tags."""

    models: Mapping[str, ServedModel]
    faults: Mapping[Key, Refused] = field(default_factory=dict)


def draft(
    desired: Desired, live: Live, situation: Situation, last: Catalog | None, circumstances: Circumstances
) -> Draft:
    """The catalogue's models: only versions that are live, proven and ready, and aliases that lead to them.

    An alias whose new version is not served yet stays where it was; the champion falls back to the champion
    before it when its version stops being ready. A model whose last alias vanished just now is still there.
    """
    models: dict[str, ServedModel] = {}
    faults: dict[Key, Refused] = {}
    letting_go = {name for name, _ in circumstances.lingering} - desired.keys()
    going = [WantedModel(name, {}, {}, {}, routing_unread=True) for name in sorted(letting_go)]
    for wanted in (*desired.values(), *going):
        current = live.models.get(wanted.name)
        if current is None:
            continue
        before = last.models.get(wanted.name) if last else None
        model = _Model(wanted, current, situation, before, circumstances, faults).build()
        if model.versions:
            models[wanted.name] = model
    return Draft(models, faults)


@dataclass(frozen=True, slots=True)
class _Model:
    wanted: WantedModel
    live: LiveModel
    situation: Situation
    before: ServedModel | None
    circumstances: Circumstances
    faults: dict[Key, Refused]

    def build(self) -> ServedModel:
        proven = frozenset(number for number in self.live.configured if self._servable(number))
        ready = frozenset(one for one in proven if (self.wanted.name, one) not in self.circumstances.unready)
        # With nothing ready at all, taking versions out would help nobody: gateways say what is wrong.
        servable = ready or proven
        aliases = self._aliases(servable)
        numbers = (servable & frozenset(self.wanted.versions)) | frozenset(aliases.values())
        champion = aliases.get("champion")
        previous = [one for one in self.wanted.champions if one != champion and one in numbers]
        return ServedModel(
            name=self.wanted.name,
            versions=tuple(self._version(number) for number in sorted(numbers)),
            aliases=dict(sorted(aliases.items())),
            routing=self._routing(aliases, numbers),
            previous_champion=previous[0] if previous and champion is not None else None,
            routing_etag=routing_etag(self.wanted.tags, self.wanted.rollout),
            rollout=self.wanted.rollout,
        )

    def _servable(self, number: int) -> bool:
        key = (self.wanted.name, number)
        wanted = self.wanted.versions.get(number)
        if self.live.versions[number] is None or key not in self.circumstances.proven:
            return False
        return wanted is None or standing(key, wanted, self.live, self.situation) != "replace"

    def _aliases(self, servable: frozenset[int]) -> dict[str, int]:
        before = self.before.aliases if self.before else {}
        aliases = {}
        for alias, number in self.wanted.aliases.items():
            candidates = [number, before.get(alias)]
            if alias == "champion":
                candidates += self.wanted.champions
            target = next((one for one in candidates if one in servable), None)
            if target is not None:
                aliases[alias] = target
        for alias, number in before.items():
            if (self.wanted.name, alias) in self.circumstances.lingering and number in servable:
                aliases.setdefault(alias, number)
        return aliases

    def _version(self, number: int) -> ServedVersion:
        key = (self.wanted.name, number)
        record = self.live.versions[number]
        if record is None:
            raise AssertionError(f"{key} is served without a record")
        before = self.before.version(number) if self.before else None
        if before is not None and before.digest != record.digest:
            before = None
        wanted = self.wanted.versions.get(number)
        contract, scale = self._meaning(key, record, before, wanted.version if wanted else None)
        return ServedVersion(
            version=number,
            digest=record.digest,
            contract=contract,
            sigma_scale=scale,
            max_batch_size=self._max_batch_size(key),
            inputs=record.inputs,
            outputs=record.outputs,
            served_since=before.served_since if before else self.circumstances.now,
            created_at=record.created_at,
            run_id=record.run_id,
            run_url=_run_url(self.circumstances.run_url, record.run_id),
            stage=wanted.version.stage if wanted else None,
            metrics=record.metrics,
            latency_ms=record.latency_ms,
        )

    def _max_batch_size(self, key: Key) -> int:
        """What the version takes now and will take soon: it goes down here before it does in Triton."""
        settings = self.wanted.settings
        sizes = [self.live.config.settings.max_batch_size, self.circumstances.proven[key]]
        return min([*sizes, settings.max_batch_size] if settings else sizes)

    def _meaning(
        self, key: Key, record: Record, before: ServedVersion | None, registered: RegisteredVersion | None
    ) -> tuple[ModelContract, float]:
        """The contract and σ scale in force; when the registry's are at fault, the last good ones."""
        kept = before.contract if before else contracts.parse(record.contract)
        scale = before.sigma_scale if before else kept.output.uncertainty.sigma_scale
        same = registered is not None and (
            registered.origin == record.origin or self.situation.equal.get(key) == registered.origin
        )
        if registered is None or not same:
            return kept, scale
        try:
            contract = agreement.effective(
                registered.tags, record.metadata_contract, self.wanted.tags, record.inputs, record.outputs
            )
            agreement.check(contract, record.inputs, record.outputs)
            return contract, agreement.sigma_scale(registered.tags, contract)
        except Refused as refused:
            self.faults[key] = refused
            return kept, scale

    def _routing(self, aliases: Mapping[str, int], numbers: frozenset[int]) -> RoutePolicy | None:
        """The weights of those that are served; the last policy when the tag is at fault."""
        rollout = self.wanted.rollout
        if rollout is not None and rollout.active:
            policy: RoutePolicy | None = RoutePolicy(rollout.weights, salt=rollout.salt)
        elif self.wanted.routing_unread and self.before:
            policy = self.before.routing
        else:
            policy = self.wanted.routing
        return _of_the_served(policy.in_force(self.circumstances.now), aliases, numbers) if policy else None


def _of_the_served(
    policy: RoutePolicy | None, aliases: Mapping[str, int], numbers: frozenset[int]
) -> RoutePolicy | None:
    """The policy without those that are not served; None without any that is."""
    if policy is None:
        return None
    then = _of_the_served(policy.then, aliases, numbers)
    weights = {
        name: weight
        for name, weight in policy.weights.items()
        if name in aliases or (NUMBER.fullmatch(name) and int(name) in numbers)
    }
    if not any(weight > 0 for weight in weights.values()):
        return None
    return RoutePolicy(weights, policy.expires_at, policy.salt, then)


def _run_url(template: str | None, run_id: str | None) -> str | None:
    return f"{template}/#/runs/{run_id}" if template and run_id else None
