"""What one process has to tell of itself, and what several have to tell together. Pure.

Counters and histograms add up, also those of processes that are gone: a counter never goes back because its
process was replaced. Gauges are of processes that live: numbers add up, of states the worst counts, of what
was heard the newest.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.utils import floatToGoString

from gateway.telemetry.counters import NUMBERS, Counters, ModelCount
from gateway.telemetry.latency_window import LatencyWindow

SUMMED = ("counter", "histogram", "summary")

LEAST = frozenset(
    {
        "fixgate_cache_shared_up",
        "fixgate_catalog_following",
        "fixgate_catalog_revision",
        "fixgate_ready",
        "fixgate_version_ready",
        "model_loaded",
        "process_start_time_seconds",
    }
)
"""Gauges of which the smallest is told: all is well only where all is well."""

MOST = frozenset(
    {
        "fixgate_api_keys",
        "fixgate_api_keys_stale",
        "fixgate_breaker_open",
        "fixgate_build_info",
        "fixgate_catalog_age_seconds",
        "fixgate_feedback_last_truth_timestamp_seconds",
        "fixgate_predicted_answer_seconds",
        "fixgate_redis_memory_bytes",
        "fixgate_signal_wait_seconds",
        "fixgate_switches",
        "fixgate_turn_wait_seconds",
        "fixgate_version_share",
        "model_reloads",
        "process_max_fds",
        "python_info",
        "redis_memory_bytes",
    }
)
"""Gauges of which the largest is told: every process says the same of what is not its own."""

NEWEST = frozenset({"fixgate_feedback_coverage", "fixgate_feedback_nees"})
"""Gauges of which the newest is told: each process knows them as of the last truth that it heard."""

HEARD_AT = "fixgate_feedback_last_truth_timestamp_seconds"
"""When that was, by model and version."""

RATIOS = {"cache_hit_rate": (("cache_hits", "cache_hits_total"), ("cache_misses", "cache_misses_total"))}
"""Gauges that are the first's share of both counters (family, sample): made again from their sums."""

Sample = tuple[str, dict[str, str], float]
"""Name, labels, value."""

Place = tuple[str, tuple[tuple[str, str], ...]]
"""Name and labels of a sample."""


class Family(msgspec.Struct, array_like=True):
    """One metric with its samples."""

    name: str
    about: str
    kind: str
    samples: list[Sample]


class Counted(msgspec.Struct):
    """One model's counts: `numbers` by ModelCount's names of them, `latencies` as dumped by a window."""

    numbers: dict[str, float]
    last_at: float | None
    latencies: bytes


class Report(msgspec.Struct, array_like=True):
    """Of one process, or of several."""

    families: list[Family] = []
    counts: dict[str, Counted] = {}


def report(registry: CollectorRegistry, counters: Counters) -> Report:
    """This process's own."""
    families = [
        Family(
            metric.name,
            metric.documentation,
            metric.type,
            [
                (one.name, dict(one.labels), float(one.value))
                for one in metric.samples
                if not one.name.endswith("_created")
            ],
        )
        for metric in registry.collect()
    ]
    counts = {
        model: Counted(
            {name: getattr(count, name) for name in NUMBERS}, count.last_at, count.latencies.dump()
        )
        for model, count in counters.items()
    }
    return Report(families, counts)


def merged(reports: Sequence[Report]) -> Report:
    """All of them as one; samples stay in the order in which they first come."""
    families: dict[str, Family] = {}
    values: dict[str, dict[Place, float]] = {}
    for one in reports:
        for family in one.families:
            families.setdefault(family.name, family)
            _add(values.setdefault(family.name, {}), family)
    for name in RATIOS.keys() & values.keys():
        values[name] = {(name, ()): _ratio(values, name)}
    for name in NEWEST & values.keys():
        values[name] = _newest(reports, name)
    counts = {
        model: _together([one.counts[model] for one in reports if model in one.counts])
        for model in dict.fromkeys(model for one in reports for model in one.counts)
    }
    return Report(
        [
            Family(name, family.about, family.kind, [(at[0], dict(at[1]), value) for at, value in samples])
            for name, family in families.items()
            for samples in [values[name].items()]
        ],
        counts,
    )


def departed(one: Report) -> Report:
    """What remains true of processes that are gone."""
    counts = {
        model: Counted(count.numbers | {"under_way": 0}, count.last_at, count.latencies)
        for model, count in one.counts.items()
    }
    return Report([family for family in one.families if family.kind in SUMMED], counts)


def count_of(one: Report, model: str) -> ModelCount:
    """A model's counts."""
    counted = one.counts.get(model)
    if counted is None:
        return ModelCount()
    whole = {name: type(getattr(ModelCount(), name))(value) for name, value in counted.numbers.items()}
    return ModelCount(**whole, last_at=counted.last_at, latencies=LatencyWindow.parse([counted.latencies]))


def exposition(one: Report) -> bytes:
    """Prometheus' text format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).

    prometheus_client writes the same in five times the time, which every request beside it would wait for.
    """
    lines = []
    for family in one.families:
        lines.append(_heading(family.name, family.about, family.kind))
        lines += [
            f"{_series(name, tuple(labels.items()))} {floatToGoString(value)}\n"  # type: ignore[no-untyped-call]
            for name, labels, value in family.samples
        ]
    return "".join(lines).encode()


@lru_cache(maxsize=1024)
def _heading(name: str, about: str, kind: str) -> str:
    name = f"{name}_total" if kind == "counter" else name
    about = about.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {about}\n# TYPE {name} {kind}\n"


@lru_cache(maxsize=1 << 15)
def _series(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    """A sample's name and labels."""
    if not labels:
        return name
    told = ",".join(f'{label}="{_escaped(value)}"' for label, value in sorted(labels))
    return f"{name}{{{told}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _ratio(values: Mapping[str, Mapping[Place, float]], name: str) -> float:
    part, rest = (values[family][sample, ()] for family, sample in RATIOS[name])
    return part / (part + rest) if part + rest else 0.0


def _newest(reports: Sequence[Report], name: str) -> dict[Place, float]:
    found: dict[Place, tuple[float, float]] = {}
    for one in reports:
        samples = {family.name: family.samples for family in one.families}
        times = {(at["model"], at["version"]): value for _, at, value in samples.get(HEARD_AT, ())}
        for sample, labels, value in samples.get(name, ()):
            place = (sample, tuple(labels.items()))
            told = (times.get((labels["model"], labels["version"]), 0.0), value)
            found[place] = max(found.get(place, told), told)
    return {place: value for place, (_, value) in found.items()}


def _add(values: dict[Place, float], family: Family) -> None:
    for name, labels, value in family.samples:
        place = (name, tuple(labels.items()))
        known = values.get(place)
        if known is None:
            values[place] = value
        elif family.name in LEAST:
            values[place] = min(known, value)
        elif family.name in MOST:
            values[place] = max(known, value)
        else:
            values[place] = known + value


def _together(parts: Sequence[Counted]) -> Counted:
    return Counted(
        {name: sum(one.numbers.get(name, 0) for one in parts) for name in NUMBERS},
        max((one.last_at for one in parts if one.last_at is not None), default=None),
        LatencyWindow.parse([one.latencies for one in parts]).dump(),
    )
