"""sync's own metrics, in a registry of their own."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from contract.catalog import Catalog
from contract.deployment import Deployment, Event
from contract.rollout import Phase
from sync.errors import Fault
from sync.observation import served_keys, served_models
from sync.reconcile import Report


class Metrics:
    """What a pass leaves to be scraped."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._passes = Counter(
            "fixgate_sync_passes", "Passes, by outcome.", ["outcome"], registry=self.registry
        )
        self._duration = Histogram(
            "fixgate_sync_pass_duration_seconds",
            "Duration of a pass, without the work that goes on in threads.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60),
            registry=self.registry,
        )
        self._changes = Counter(
            "fixgate_sync_catalogue_changes", "New catalogue revisions.", registry=self.registry
        )
        self._refusals = Counter(
            "fixgate_sync_refusals", "Versions refused, by reason.", ["reason"], registry=self.registry
        )
        self._webhooks = Counter(
            "fixgate_sync_webhooks", "Events from MLflow, by outcome.", ["outcome"], registry=self.registry
        )
        self._success = Gauge(
            "fixgate_sync_last_success_timestamp_seconds",
            "When the last pass ended in which registry and repository could be read.",
            registry=self.registry,
        )
        self._served = Gauge(
            "fixgate_sync_served_versions", "Versions in the catalogue.", ["model"], registry=self.registry
        )
        self._refused = Gauge(
            "fixgate_sync_refused_versions", "Versions in quarantine now.", registry=self.registry
        )
        self._waiting = Gauge(
            "fixgate_sync_waiting_versions", "Versions that wait for another try.", registry=self.registry
        )
        self._triton = Gauge(
            "fixgate_sync_triton_up", "Whether a Triton answers.", ["address"], registry=self.registry
        )
        self._version_ready = Gauge(
            "fixgate_sync_version_ready",
            "Whether a Triton reports a version of the catalogue ready.",
            ["address", "model", "version"],
            registry=self.registry,
        )
        self._switches = Counter(
            "fixgate_sync_switches", "Changes of an alias.", ["model", "alias"], registry=self.registry
        )
        self._events = Counter(
            "fixgate_sync_journal_entries",
            "Entries of the journal, by event.",
            ["event"],
            registry=self.registry,
        )
        Info("fixgate_sync_build", "What runs here.", registry=self.registry).info(
            {"version": version("fixgate"), "python": platform.python_version()}
        )
        ProcessCollector(registry=self.registry)
        self._revision = Gauge(
            "fixgate_sync_catalogue_revision", "Revision of the catalogue.", registry=self.registry
        )

        self._rollout_share = Gauge(
            "fixgate_rollout_share",
            "Percent of the traffic that a rollout under way gives its version.",
            ["model"],
            registry=self.registry,
        )
        self._rollouts = Counter(
            "fixgate_rollouts", "Rollouts that ended, by how.", ["model", "outcome"], registry=self.registry
        )
        self._ready_told: set[tuple[str, str, str]] = set()
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Of a series that begins with 1 Prometheus sees no increase: the first of a kind would be missed."""
        for counter, values in (
            (self._passes, ("ok", "registry_unavailable", "failed")),
            (self._refusals, get_args(Fault)),
            (self._webhooks, ("taken", "our own", "refused")),
            (self._events, get_args(Event)),
        ):
            for value in values:
                counter.labels(value)

    def observe(self, report: Report, catalog: Catalog | None, refused: int) -> None:
        """Take in a pass."""
        self._passes.labels("ok" if report.seen.fresh else "registry_unavailable").inc()
        self._duration.observe(report.duration_s)
        self._changes.inc(1 if report.changed else 0)
        if report.seen.fresh:
            self._success.set(report.seen.now)
        self._served.clear()
        for name, model in served_models(catalog).items():
            self._served.labels(name).set(len(model.versions))
        self._refused.set(refused)
        self._waiting.set(len(report.resting))
        self._revision.set(catalog.revision if catalog else 0)
        for address, states in report.seen.states.items():
            self._triton.labels(address).set(0 if states is None else 1)
        self._observe_readiness(report, catalog)

    def _observe_readiness(self, report: Report, catalog: Catalog | None) -> None:
        """Only what is gone is taken out: a scrape in between must not miss what is there."""
        told = set()
        for address, states in report.seen.states.items():
            for name, number in served_keys(catalog):
                state = (states or {}).get((name, number))
                labels = (address, name, str(number))
                self._version_ready.labels(*labels).set(state is not None and state.ready)
                told.add(labels)
        for labels in self._ready_told - told:
            self._version_ready.remove(*labels)
        self._ready_told = told

    def journal(self, entry: Deployment) -> None:
        """Count an entry of the journal."""
        self._events.labels(entry.event).inc()
        if entry.event == "switch":
            self._switches.labels(entry.model, entry.alias).inc()

    def fail(self) -> None:
        """Take in a pass that could not be finished."""
        self._passes.labels("failed").inc()

    def refuse(self, _model: str, fault: Fault) -> None:
        """Count a refusal."""
        self._refusals.labels(fault).inc()

    def rollouts(self, shares: Mapping[str, float]) -> None:
        """Take in the rollouts under way: percent by model."""
        self._rollout_share.clear()
        for model, share in shares.items():
            self._rollout_share.labels(model).set(share)

    def end_rollout(self, model: str, outcome: Phase) -> None:
        """Count a rollout that ended."""
        self._rollouts.labels(model, outcome).inc()

    def webhook(self, outcome: str) -> None:
        """Count an event from MLflow."""
        self._webhooks.labels(outcome).inc()

    def render(self) -> bytes:
        """The metrics as Prometheus scrapes them."""
        return generate_latest(self.registry)
