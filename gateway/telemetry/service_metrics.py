"""What is read from the services when Prometheus scrapes."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from contract.catalog import Catalog
from gateway.cache.fixes import FixCache
from gateway.cache.memory import ENTRY_BYTES, MemoryCache
from gateway.domain import Fix
from gateway.locate import Locator
from gateway.telemetry.heimdall_metrics import HeimdallMetrics
from gateway.telemetry.metric_family import Labels
from gateway.telemetry.metrics import Metrics
from gateway.versions.routing import shares

if TYPE_CHECKING:
    from gateway.services import Services

CHAMPION = "champion"


def read_services(services: "Services", memory: MemoryCache[Fix], cache: FixCache, locator: Locator) -> None:
    """Put them on the metrics' registry."""
    metrics = services.metrics
    _cache(services, memory, cache)
    _catalogue(services)
    metrics.gauge("fixgate_ready", "1 when new traffic should come here.", lambda: services.readiness.ready)
    metrics.gauge("fixgate_rows_waiting", "Rows that wait for a call to Triton.", locator.waiting)
    _admission(services)
    metrics.table(
        "fixgate_triton_calls_in_flight",
        "Calls under way at each Triton.",
        ("triton",),
        lambda: [((one.address,), one.in_flight) for one in services.triton.status()],
    )
    metrics.table(
        "fixgate_breaker_open",
        "1 while calls of a version are withheld from a Triton; versions that do not fail are left out.",
        ("triton", "model", "version"),
        lambda: _breakers(services),
    )
    if services.config.heimdall_metrics == "on":
        metrics.registry.register(
            HeimdallMetrics(
                metrics, lambda: services.readiness.ready, lambda: services.redis_memory.used_bytes
            )
        )


def follow_switches(metrics: Metrics) -> Callable[[Catalog], None]:
    """To be told of each new catalogue: counts changes of champions, forgets what is no longer served."""
    champions: dict[str, int] = {}

    def changed(catalog: Catalog) -> None:
        for name, model in catalog.models.items():
            champion = model.aliases.get(CHAMPION)
            if champion is not None and champions.get(name, champion) != champion:
                metrics.switched(name)
            if champion is not None:
                champions[name] = champion
        models = catalog.models.values()
        metrics.keep_only({(model.name, str(one.version)) for model in models for one in model.versions})

    return changed


def _cache(services: "Services", memory: MemoryCache[Fix], cache: FixCache) -> None:
    metrics, shared = services.metrics, services.shared_cache
    metrics.table(
        "fixgate_cache_requests",
        "Look-ups of fixes, by level of the cache and result.",
        ("level", "result"),
        lambda: [
            (("memory", "hit"), cache.memory_hits),
            (("memory", "miss"), cache.memory_asked - cache.memory_hits),
            (("redis", "hit"), cache.shared_hits),
            (("redis", "miss"), cache.shared_asked - cache.shared_hits),
        ],
        counter=True,
    )
    metrics.gauge("fixgate_cache_entries", "Fixes in this process's cache.", lambda: len(memory))
    metrics.gauge("fixgate_cache_bytes", "What they take, as an estimate.", lambda: len(memory) * ENTRY_BYTES)
    metrics.gauge("fixgate_cache_shared_up", "1 while the Redis cache is used.", lambda: shared.available)
    metrics.count(
        "fixgate_cache_writes_dropped", "Fixes that did not reach the Redis cache.", lambda: shared.dropped
    )
    metrics.table(
        "fixgate_redis_memory_bytes",
        "Memory that Redis uses, as of the last look.",
        (),
        lambda: [((), used)] if (used := services.redis_memory.used_bytes) is not None else [],
    )


def _admission(services: "Services") -> None:
    gauge, admission = services.metrics.gauge, services.admission
    gauge(
        "fixgate_predicted_answer_seconds",
        "Until the answer to one request more, of the version that has most to do.",
        lambda: admission.longest_s(asyncio.get_running_loop().time()),
    )
    gauge(
        "fixgate_signal_wait_seconds",
        "Predicted, until a thread of the signal front-end is free.",
        lambda: services.signal.wait_s,
    )
    gauge(
        "fixgate_turn_wait_seconds",
        "Predicted, until the event loop has a turn for another large body.",
        lambda: services.turns.wait_s,
    )
    gauge("fixgate_held_bytes", "What requests under way hold.", lambda: services.memory.held)


def _catalogue(services: "Services") -> None:
    metrics, feed = services.metrics, services.feed
    metrics.gauge(
        "fixgate_catalog_revision", "Revision of the catalogue in use; 0 = none.", lambda: feed.revision
    )
    metrics.table(
        "fixgate_catalog_age_seconds",
        "Since the catalogue in use was written; it is written when something changes.",
        (),
        lambda: [((), time.time() - feed.current.written_at)] if feed.current else [],
    )
    metrics.gauge(
        "fixgate_catalog_following", "1 while Redis tells of new catalogues.", lambda: feed.connected
    )
    metrics.table(
        "fixgate_version_ready",
        "1 while a version can answer, as far as is known here.",
        ("model", "version"),
        lambda: [
            ((model, str(version)), services.readiness.available(model, version))
            for model, version in _served(feed.current)
        ],
    )
    metrics.table(
        "fixgate_version_share",
        "Share of a model's traffic that a version is to have.",
        ("model", "version"),
        lambda: _shares(feed.current),
    )


def _served(catalog: Catalog | None) -> list[tuple[str, int]]:
    models = catalog.models.values() if catalog else ()
    return [(model.name, one.version) for model in models for one in model.versions]


def _shares(catalog: Catalog | None) -> Iterable[tuple[Labels, float]]:
    for model in catalog.models.values() if catalog else ():
        for version, share in shares(model, time.time()).items():
            yield (model.name, str(version)), share


def _breakers(services: "Services") -> Iterable[tuple[Labels, float]]:
    for endpoint in services.triton.status():
        for one in endpoint.breakers:
            yield (endpoint.address, one.model, str(one.version)), one.state == "open"
