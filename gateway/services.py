"""What lives as long as the process: made in one order, taken down in the reverse."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract.catalog import Catalog
from contract.cpu import cores
from gateway.admission import Admission, ByteBudget
from gateway.board import Board
from gateway.cache.fixes import FixCache
from gateway.cache.generation import CacheGeneration
from gateway.cache.memory import MemoryCache
from gateway.cache.shared import RedisCache
from gateway.commands import Commands
from gateway.config import Config
from gateway.deployments import Deployments
from gateway.domain import Fix, Recording
from gateway.errors import FixgateError
from gateway.in_flight import InFlight
from gateway.kept.live import WATCHERS, Live
from gateway.kept.recent import Recent
from gateway.kept.remembered import Remembered
from gateway.locate import Found, Locator
from gateway.pipeline import Canonical, Pipeline, make_frontends
from gateway.predict import Predictor
from gateway.prediction import Prediction
from gateway.priority import Priority
from gateway.redis_client import connect
from gateway.telemetry.counters import Counters
from gateway.telemetry.feedback_metrics import FeedbackMetrics
from gateway.telemetry.history import History
from gateway.telemetry.history_share import HistoryShare
from gateway.telemetry.ledger import Ledger
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redis_memory import RedisMemory
from gateway.telemetry.request_log import RequestLog
from gateway.telemetry.service_metrics import follow_switches, read_services
from gateway.telemetry.stopwatch import Stopwatch
from gateway.telemetry.tracing import Tracing, running_tracing
from gateway.threads import Threads
from gateway.triton.counted import CountedCalls
from gateway.triton.endpoints import Triton
from gateway.turns import Turns
from gateway.versions.catalog_feed import CatalogFeed
from gateway.versions.fallback_log import FallbackLog
from gateway.versions.readiness import Readiness
from gateway.versions.records import VersionRecords
from gateway.versions.shadow import Shadow
from gateway.versions.shadow_metrics import ShadowMetrics
from gateway.wire.limits import Limits

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = logging.getLogger(__name__)

RESTART_S = 1.0


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that handlers use. `started_at` is Unix seconds.

    recent, remembered, live: None when no prediction is to be kept.
    """

    config: Config
    limits: Limits
    threads: ThreadPoolExecutor
    signal: Threads
    admission: Admission
    memory: ByteBudget
    turns: Turns
    feed: CatalogFeed
    triton: Triton
    shared_cache: RedisCache
    predictor: Predictor
    readiness: Readiness
    metrics: Metrics
    counters: Counters
    commands: Commands
    deployments: Deployments
    recent: Recent | None
    remembered: Remembered | None
    feedback_metrics: FeedbackMetrics
    live: Live | None
    ledger: Ledger
    history_share: HistoryShare
    records: VersionRecords
    redis_memory: RedisMemory
    request_log: RequestLog
    tracing: Tracing | None
    shadow: Shadow
    started_at: float


@dataclass(frozen=True, slots=True)
class _Tallies:
    ledger: Ledger
    metrics: Metrics
    counters: Counters
    records: VersionRecords
    fallback_log: FallbackLog

    def answered(self, prediction: Prediction) -> None:
        self.ledger.prediction(prediction)
        self.fallback_log.answered(prediction)

    def failed(self, model: str, version: int, error: FixgateError) -> None:
        self.metrics.failed(model, version, error)
        self.counters.failed(model, version, error)
        self.records.failed(model, version, error)

    def fell_back(self, model: str, version: int, stand_in: int, count: int) -> None:
        self.metrics.fell_back(model, version, stand_in, count)
        self.records.fell_back(model, version, count)
        self.fallback_log.fell_back(model, version, stand_in)


@contextlib.asynccontextmanager
async def running(config: Config, board: Board | None = None) -> AsyncIterator[Services]:
    """The parts, with their background work under way. Needs neither Redis nor Triton to be up.

    Args:
        board: what all workers see, where this is one of several.
    """
    async with contextlib.AsyncExitStack() as stack:
        feed_redis = _redis(stack, config, 4)
        cache_redis = _redis(stack, config, 8, waits=False)  # two reads at most, and a writer or three pings
        triton = Triton(config.triton_grpc, http=config.triton_http, shared_memory=config.triton_shm)
        stack.push_async_callback(triton.close)
        count = config.signal_threads or cores()
        threads = stack.enter_context(ThreadPoolExecutor(count, thread_name_prefix="signal"))
        signal = Threads(threads, count)
        admission = Admission(
            objective_s=config.objective_ms / 1e3, calls_in_flight=config.own_calls_in_flight
        )

        feed = CatalogFeed(feed_redis, config.snapshot, make_frontends)
        readiness = Readiness(
            lambda: feed.current, triton.version_ready, config.default_model, reachable=triton.available
        )
        metrics, counters, history = Metrics(), Counters(), History()
        feed.changed = _changed(readiness, follow_switches(metrics))
        feed.start_from_snapshot()
        shared_cache = RedisCache(cache_redis, config.cache_ttl_s)
        memory = MemoryCache[Fix](config.cache_l1_bytes, config.cache_ttl_s)
        cache = FixCache(memory, shared_cache)
        locator = Locator(
            backend=CountedCalls(triton, metrics),
            cache=cache,
            threads=signal,
            admission=admission,
            in_flight=InFlight(config.all_calls_in_flight, board),
        )
        side_redis = _redis(stack, config, 16)
        command_redis = _redis(stack, config, 16)  # each command waits on one for sync
        records = VersionRecords(side_redis)
        ledger = Ledger((metrics, counters, history, records))
        redis_memory = RedisMemory(side_redis)
        feedback_metrics = FeedbackMetrics(metrics.registry)
        metrics.by_version(*feedback_metrics.families)
        tracing = await stack.enter_async_context(running_tracing())
        recent, remembered, live = None, None, None
        if config.remember == "on":
            spectrum = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="spectrum"))
            recent = Recent(side_redis, spectrum)
            remembered = Remembered(side_redis, seconds=config.remember_s, count=config.remember_count)
            live_redis = _redis(stack, config, WATCHERS + 4)
            live = Live(live_redis, seconds=config.remember_s)
        shadow = _shadow(config.shadow_share, locator, cache, readiness, (metrics, records))
        predictor = Predictor(
            catalog=lambda: feed.current,
            locator=locator,
            tally=_Tallies(ledger, metrics, counters, records, FallbackLog()),
            standing=readiness,
            default_model=config.default_model,
            remember=_remember(recent, remembered),
            mirror=shadow.put,
        )
        keeping = [recent.measure, recent.writer.run] if recent else []
        keeping += [remembered.writer.run] if remembered else []
        keeping += [live.writer.run] if live else []
        history_share = HistoryShare(side_redis, history, locator.waiting)
        for work in (
            feed.follow,
            readiness.watch,
            shared_cache.write_behind,
            CacheGeneration(side_redis, cache.forget).watch,
            records.write_behind,
            ledger.run,
            redis_memory.watch,
            shadow.run,
            history_share.run,
            *keeping,
        ):
            task = asyncio.create_task(_for_ever(work), name=work.__qualname__)
            stack.push_async_callback(_stop, task)
        services = Services(
            config=config,
            limits=Limits(body_bytes=config.max_body_bytes),
            threads=threads,
            signal=signal,
            admission=admission,
            memory=ByteBudget(config.max_queued_bytes),
            turns=Turns(),
            feed=feed,
            triton=triton,
            shared_cache=shared_cache,
            predictor=predictor,
            readiness=readiness,
            metrics=metrics,
            counters=counters,
            commands=Commands(command_redis),
            deployments=Deployments(side_redis),
            recent=recent,
            remembered=remembered,
            feedback_metrics=feedback_metrics,
            live=live,
            ledger=ledger,
            history_share=history_share,
            records=records,
            redis_memory=redis_memory,
            request_log=RequestLog(config.log_requests_per_s),
            tracing=tracing,
            shadow=shadow,
            started_at=time.time(),
        )
        read_services(services, memory, cache, locator)
        _count_dropped(services)
        yield services


def _redis(
    stack: contextlib.AsyncExitStack, config: Config, connections: int, *, waits: bool = True
) -> "Redis":
    client = connect(config.redis_url, max_connections=connections, waits=waits)
    stack.push_async_callback(client.aclose)
    return client


def _changed(readiness: Readiness, switches: Callable[[Catalog], None]) -> Callable[[Catalog], None]:
    """What is done with each new catalogue."""

    def changed(catalog: Catalog) -> None:
        readiness.look_now()
        switches(catalog)

    return changed


def _shadow(
    share: float,
    locator: Locator,
    cache: FixCache,
    readiness: Readiness,
    told: tuple[Metrics, VersionRecords],
) -> Shadow:
    metrics, records = told

    def compute(
        pipeline: Pipeline, canonical: Canonical, watch: Stopwatch, deadline: float
    ) -> Coroutine[Any, Any, Found]:
        return locator.one(
            pipeline, canonical, cached=False, watch=watch, priority=Priority.SHADOW, deadline=deadline
        )

    found = ShadowMetrics(metrics.registry)
    metrics.by_version(*found.families)
    shadow = Shadow(
        share=share,
        compute=compute,
        recent=cache.recent,
        waiting=locator.waiting,
        available=readiness.available,
        findings=(records, found),
    )
    metrics.gauge("fixgate_shadow_queued", "Copies that wait to be mirrored.", lambda: shadow.queued)
    return shadow


def _remember(
    recent: Recent | None, remembered: Remembered | None
) -> Callable[[Prediction, Recording], None]:
    def remember(prediction: Prediction, recording: Recording) -> None:
        if recent:
            recent.put(prediction, recording)
        if remembered:
            remembered.put(prediction)

    return remember


def _count_dropped(services: Services) -> None:
    services.metrics.count(
        "fixgate_version_records_dropped", "Records of versions given up.", lambda: services.records.dropped
    )
    if recent := services.recent:
        services.metrics.count(
            "fixgate_recent_dropped", "Recent localisations left out under pressure.", lambda: recent.dropped
        )
    if remembered := services.remembered:
        services.metrics.count(
            "fixgate_remembered_dropped",
            "Predictions not remembered for feedback.",
            lambda: remembered.writer.dropped,
        )


async def _for_ever(work: Callable[[], Awaitable[None]]) -> None:
    """Background work that outlives its own faults: each is logged, and the work begins again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background work failed: %s", getattr(work, "__qualname__", work))
        await asyncio.sleep(RESTART_S)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
