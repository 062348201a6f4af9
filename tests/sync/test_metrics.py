"""sync's metrics."""

from prometheus_client.parser import text_string_to_metric_families

from contract.catalog import Catalog, ServedModel
from contract.deployment import Deployment
from sync.metrics import Metrics
from sync.observation import Observation
from sync.reconcile import Report
from sync.triton import States, VersionState
from tests.sync.makers import live, model, registered
from tests.sync.test_writeback import serving

TWO = model(registered(1), registered(2), aliases={"champion": 1, "candidate": 2})


def report(*, fresh: bool = True, changed: bool = False, now: float = 100.0) -> Report:
    states: dict[str, States | None] = {"a:1": {("loc", 1): VersionState("READY")}, "b:1": None}
    seen = Observation(now, (), fresh, {}, live(), states)
    return Report(seen, 0.03, idle=True, settled=True, changed=changed, resting={("loc", 1): "disk full"})


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_a_pass_leaves_its_traces() -> None:
    metrics = Metrics()
    catalog = Catalog("1.0", 7, 0.0, {"loc": ServedModel("loc", (), {})})
    metrics.observe(report(changed=True), catalog, refused=2)
    found = samples(metrics)
    assert found["fixgate_sync_passes_total", "ok"] == 1
    assert found["fixgate_sync_pass_duration_seconds_count",] == 1
    assert found["fixgate_sync_catalogue_changes_total",] == 1
    assert found["fixgate_sync_last_success_timestamp_seconds",] == 100.0
    assert found["fixgate_sync_served_versions", "loc"] == 0
    assert found["fixgate_sync_refused_versions",] == 2
    assert found["fixgate_sync_waiting_versions",] == 1
    assert found["fixgate_sync_catalogue_revision",] == 7
    assert (found["fixgate_sync_triton_up", "a:1"], found["fixgate_sync_triton_up", "b:1"]) == (1, 0)


def test_a_pass_without_the_registry_is_no_success() -> None:
    metrics = Metrics()
    metrics.observe(report(now=100.0), None, 0)
    metrics.observe(report(fresh=False, now=200.0), None, 0)
    metrics.fail()
    found = samples(metrics)
    assert found["fixgate_sync_last_success_timestamp_seconds",] == 100.0
    assert found["fixgate_sync_passes_total", "registry_unavailable"] == 1
    assert found["fixgate_sync_passes_total", "failed"] == 1


def test_what_may_happen_is_counted_from_zero() -> None:
    """Or Prometheus would not see the first of its kind."""
    found = samples(Metrics())
    for place in (
        ("fixgate_sync_refusals_total", "contract"),
        ("fixgate_sync_journal_entries_total", "refuse"),
        ("fixgate_sync_webhooks_total", "taken"),
        ("fixgate_sync_passes_total", "failed"),
    ):
        assert found[place] == 0


def test_refusals_are_counted_by_reason() -> None:
    metrics = Metrics()
    metrics.refuse("loc", "load")
    metrics.refuse("other", "load")
    metrics.webhook("taken")
    found = samples(metrics)
    assert found["fixgate_sync_refusals_total", "load"] == 2
    assert found["fixgate_sync_webhooks_total", "taken"] == 1


def test_a_model_that_is_gone_has_no_series() -> None:
    metrics = Metrics()
    metrics.observe(report(), Catalog("1.0", 1, 0.0, {"loc": ServedModel("loc", (), {})}), 0)
    metrics.observe(report(), Catalog("1.0", 2, 0.0, {}), 0)
    assert ("fixgate_sync_served_versions", "loc") not in samples(metrics)


def test_what_every_triton_reports_ready_is_told_by_version() -> None:
    metrics = Metrics()
    metrics.observe(report(), Catalog("1.0", 7, 0.0, serving(TWO, 1, 2)), 0)
    found = samples(metrics)
    assert found["fixgate_sync_version_ready", "a:1", "loc", "1"] == 1
    assert found["fixgate_sync_version_ready", "a:1", "loc", "2"] == 0
    assert found["fixgate_sync_version_ready", "b:1", "loc", "1"] == 0


def test_of_a_version_that_is_gone_no_readiness_is_told() -> None:
    metrics = Metrics()
    metrics.observe(report(), Catalog("1.0", 7, 0.0, serving(TWO, 1, 2)), 0)
    metrics.observe(report(), Catalog("1.0", 8, 0.0, serving(TWO, 1)), 0)
    found = samples(metrics)
    assert ("fixgate_sync_version_ready", "a:1", "loc", "2") not in found
    assert found["fixgate_sync_version_ready", "a:1", "loc", "1"] == 1


def test_entries_of_the_journal_are_counted_and_switches_by_model_and_alias() -> None:
    metrics = Metrics()
    metrics.journal(Deployment(at=0.0, event="publish", model="loc", version=1))
    metrics.journal(Deployment(at=0.0, event="switch", model="loc", version=1, alias="champion"))
    found = samples(metrics)
    assert found["fixgate_sync_journal_entries_total", "publish"] == 1
    assert found["fixgate_sync_switches_total", "champion", "loc"] == 1
