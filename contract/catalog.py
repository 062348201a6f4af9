"""The catalogue: which versions are served, as sync tells every gateway. One JSON document per revision.

Schema `MAJOR.MINOR`: a reader takes its own major, one minor older or newer; fields it does not know
are passed over, so that the planes can be upgraded one after the other.
"""

from functools import cached_property
from typing import Annotated

import msgspec

from contract.model import ModelContract
from contract.rollout import Rollout

MAJOR, MINOR = 1, 0

Weight = Annotated[float, msgspec.Meta(ge=0)]


class CatalogError(ValueError):
    """A catalogue that cannot be read; the message says why."""


class TensorSpec(msgspec.Struct, frozen=True):
    """One tensor as Triton's config names it; `shape` without the batch axis, -1 = dynamic."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class ServedVersion(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """One version that every Triton has reported ready and that has been proved through Triton.

    `digest` is SHA-256 (hex) over the published files. `sigma_scale` is the one in force: the version's
    tag `fixgate.sigma_scale`, else the contract's. Times are Unix seconds.
    """

    version: int
    digest: str
    contract: ModelContract
    sigma_scale: float
    max_batch_size: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    served_since: float
    created_at: float
    run_id: str | None = None
    run_url: str | None = None
    stage: str | None = None
    metrics: dict[str, float] = {}
    latency_ms: dict[str, float] = {}

    @cached_property
    def edition(self) -> str:
        """What makes its fixes: files, contract, σ scale. What truths say of one says nothing of another."""
        return f"{self.digest[:12]}:{self.contract.digest[:12]}:{self.sigma_scale:.6g}"


class RoutePolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """Weights by alias or version number; after `expires_at` (Unix seconds) what `then` says is in force.

    `salt` goes into the hash that places sessions. `then` None: the champion takes all.
    """

    weights: dict[str, Weight]
    expires_at: float | None = None
    salt: str = ""
    then: "RoutePolicy | None" = None

    def in_force(self, now: float) -> "RoutePolicy | None":
        """The policy that counts at `now`, Unix seconds; None: the champion takes all."""
        policy: RoutePolicy | None = self
        while policy is not None and policy.expires_at is not None and now >= policy.expires_at:
            policy = policy.then
        return policy


class ServedModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """One model: its served versions in ascending order and the aliases that point to them.

    `routing` is in force now, whether it comes from a tag or from a rollout that is under way; `routing_etag`
    changes whenever what the registry says of it does. `rollout` is the newest one, ended or not.
    """

    name: str
    versions: tuple[ServedVersion, ...]
    aliases: dict[str, int]
    routing: RoutePolicy | None = None
    previous_champion: int | None = None
    routing_etag: str = ""
    rollout: Rollout | None = None

    def version(self, number: int) -> ServedVersion | None:
        """The served version of that number, or None."""
        return next((one for one in self.versions if one.version == number), None)


class Catalog(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is served. `revision` only grows; `written_at` is Unix seconds."""

    schema: str
    revision: int
    written_at: float
    models: dict[str, ServedModel]
    default_model: str | None = None


def next_revision(last: int, now_s: float) -> int:
    """The revision after `last`: max(last, unix ms) + 1, so that a lost Redis cannot turn it back."""
    return max(last, int(now_s * 1000)) + 1


def dump(catalog: Catalog) -> bytes:
    """The catalogue as canonical JSON."""
    return msgspec.json.encode(catalog, order="deterministic")


def parse(document: bytes) -> Catalog:
    """Read a catalogue of this schema's major and a minor at most one away.

    Raises:
        CatalogError: not JSON, a field missing or of the wrong type, or a schema too far away.
    """
    try:
        schema = msgspec.json.decode(document, type=_Schema).schema
        major, minor = (int(part) for part in schema.split("."))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise CatalogError(f"catalogue without a readable schema: {error}") from error
    if major != MAJOR or abs(minor - MINOR) > 1:
        raise CatalogError(
            f"catalogue schema {schema}; this program reads {MAJOR}.{max(MINOR - 1, 0)}-{MAJOR}.{MINOR + 1}"
        )
    try:
        return msgspec.json.decode(document, type=Catalog)
    except msgspec.DecodeError as error:
        raise CatalogError(f"catalogue: {error}") from error


class _Schema(msgspec.Struct):
    schema: str
