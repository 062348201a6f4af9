"""Rules, alerts and dashboards, against a real Prometheus that scrapes a running gateway and sync."""

import contextlib
import functools
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from mlflow import MlflowClient
from prometheus_client.parser import text_string_to_metric_families

from contract import keys
from demo import shipped
from tests import launch
from tests.deploy.conftest import ROOT, run
from tests.deploy.waiting import until
from tests.planes import Parts, gateway_plane, sync_plane
from tests.prometheus_server import RULES, Prometheus, prometheus_server

NAME = "monitored"
P95, MISSES = "fixgate:predict_duration_seconds:p95_rate5m", "fixgate:cache_miss:ratio_rate6h"
RULE_TESTS = sorted((ROOT / "deploy/prometheus").glob("*.test.yml"))
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
ROWS = re.findall(r"^\| `([a-z_]+)` \| ([a-z_, ]*)\|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
LABELS = {name: frozenset(re.findall(r"\w+", labels)) for name, labels in ROWS}
DOCUMENTED = set(LABELS)
PROMETHEUS_ADDS = {"instance", "job", "le"}
SELECTOR = re.compile(r"\b((?:fixgate|process)[a-z0-9_:]*[a-z0-9]|up|ALERTS)\b(\{[^}]*\})?")

NEEDS_A_FAULT = {
    "fixgate_api_keys_stale",
    "fixgate_breaker_open",
    "fixgate_fallbacks_total",
    "fixgate_shadow_failures_total",
}
"""No series before something goes wrong, or without API keys."""


@dataclass(frozen=True)
class Monitored:
    """Where everything answers."""

    gateway: str
    sync: str
    prometheus: Prometheus

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        return self.prometheus.query(expression)


@pytest.fixture(scope="module")
def monitored(
    redis_url: str,
    mlflow_uri: str,
    triton: launch.Triton,
    prometheus: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Monitored]:
    home = tmp_path_factory.mktemp("monitored")
    parts = Parts(redis_url, mlflow_uri, triton, home)
    with redis.Redis.from_url(redis_url) as client:
        client.delete(keys.CATALOG)
    options = {"FIXGATE_DEFAULT_MODEL": NAME, "FIXGATE_MODELS": NAME}
    with (
        gateway_plane(parts, {**options, "FIXGATE_HEIMDALL_METRICS": "off"}) as gateway,
        sync_plane(parts, options) as sync,
        prometheus_server(prometheus, home, _targets(gateway, sync)) as server,
    ):
        monitored = Monitored(gateway, sync, server)
        # An increase is one only for a Prometheus that has seen what was before it.
        until(lambda: bool(monitored.query("fixgate_sync_journal_entries_total")), 60)
        _register(mlflow_uri, 1, "champion")
        until(lambda: _status(f"{gateway}/ready") == 200, 120)

        def seen() -> bool:
            """Prometheus has scraped traffic twice, and evaluated the rules over it."""
            _traffic(gateway)
            return all(map(monitored.query, (f"{P95} > 0", f"{MISSES} >= 0")))

        until(seen, 60)
        yield monitored


@pytest.fixture(scope="module")
def eventful(monitored: Monitored, mlflow_uri: str) -> Monitored:
    """After a shadow, another champion and back, a version refused, and with a rollout under way."""
    registry = MlflowClient(mlflow_uri, mlflow_uri)
    _register(mlflow_uri, 2, "shadow")
    _seen(monitored, f'fixgate_shadow_distance_metres_count{{model="{NAME}", version="2"}}')
    _take_another_rate(registry)
    _seen(monitored, 'fixgate_shadow_skipped_total{reason="other_input"}')
    registry.delete_model_version_tag(NAME, "2", "fixgate.contract")
    registry.delete_registered_model_alias(NAME, "shadow")
    for version in ("2", "1"):
        registry.set_registered_model_alias(NAME, "champion", version)
        _seen(monitored, f'fixgate_version_share{{version="{version}"}} == 1')
    _register_broken(registry)
    _seen(monitored, 'fixgate_sync_refusals_total{reason="contract"} > 0')
    _begin_rollout(monitored.gateway)
    _seen(monitored, "fixgate_rollout_share > 0")
    return monitored


def _take_another_rate(registry: MlflowClient) -> None:
    """A shadow of another sample rate is given no copies."""
    contract = json.loads(shipped.VERSIONS[1].contract.read_text())
    for name in ("sample_rate_hz", "f_max_hz"):
        contract["input"]["frontend"][name] /= 2
    registry.set_model_version_tag(NAME, "2", "fixgate.contract", json.dumps(contract))


def _register_broken(registry: MlflowClient) -> None:
    """The first version's files again, with a contract that cannot be read."""
    first = registry.get_model_version(NAME, "1")
    made = registry.create_model_version(
        NAME, str(first.source), first.run_id, tags={"fixgate.contract": "{"}
    )
    registry.set_registered_model_alias(NAME, "broken", made.version)


def _begin_rollout(gateway: str) -> None:
    guards = {"max_p95_ms": None, "max_shift": None}
    plan = {"version": "2", "steps": [50], "every_s": 86_400, "guards": guards}
    begun = _post(f"{gateway}/models/{NAME}/rollout", json.dumps(plan).encode(), "application/json")
    assert "phase" in begun, begun


def _seen(monitored: Monitored, expression: str) -> None:
    """Wait until Prometheus finds something, under traffic that no cache answers."""
    body = shipped.sample_paths()[0].read_bytes()

    def found() -> bool:
        _post(f"{monitored.gateway}/predict?cache_enabled=false", body, "application/x-npy")
        return bool(monitored.query(expression))

    until(found, 120)


def _targets(gateway: str, sync: str) -> dict[str, str]:
    jobs = {"fixgate-gateway": gateway, "fixgate-sync": sync}
    return {job: url.removeprefix("http://") for job, url in jobs.items()}


def _register(mlflow_uri: str, number: int, alias: str) -> None:
    version = shipped.VERSIONS[number - 1]
    run(
        sys.executable, "-m", "cli", "register", version.model, "--name", NAME,
        "--contract", version.contract, "--alias", alias, "--mlflow-uri", mlflow_uri,
    )  # fmt: skip


def _traffic(gateway: str) -> None:
    """Misses, hits, a batch, a broken body, a truth."""
    samples = [path.read_bytes() for path in sorted(shipped.SAMPLES.glob("*.npy"))[:3]]
    for body in [*samples, *samples]:
        answer = _post(f"{gateway}/predict", body, "application/x-npy")
    until(lambda: _truth_told(gateway, answer), 30)
    _post(f"{gateway}/predict", b'{"features": [1]}', "application/json")


def _truth_told(gateway: str, answer: dict[str, Any]) -> bool:
    truth = {"id": answer["id"], **answer["position"]}
    return "error_m" in _post(f"{gateway}/feedback", json.dumps(truth).encode(), "application/json")


def _post(url: str, body: bytes, media_type: str) -> dict[str, Any]:
    request = urllib.request.Request(url, body, {"Content-Type": media_type})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            document: dict[str, Any] = json.load(answer)
            return document
    except urllib.error.HTTPError as error:
        with error:
            return dict(json.load(error))


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@functools.cache
def _rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def _queries() -> dict[str, str]:
    """Every query of rules and dashboards, by where it stands."""
    rules = {rule.get("record") or rule["alert"]: rule["expr"] for rule in _rules()}
    return {**rules, **_panels(), **_annotations(), **_variables()}


def _boards() -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in DASHBOARDS}


def _panels() -> dict[str, str]:
    return {where: _of_all_models(target["expr"]) for where, target in _targets_of_panels().items()}


def _targets_of_panels() -> dict[str, dict[str, Any]]:
    return {
        f"{name}: {panel['title']} {target['refId']}": target
        for name, board in _boards().items()
        for panel in board["panels"]
        for target in panel["targets"]
    }


def _annotations() -> dict[str, str]:
    return {
        f"{name}: {one['name']}": _of_all_models(one["expr"])
        for name, board in _boards().items()
        for one in board["annotations"]["list"]
    }


def _variables() -> dict[str, str]:
    """What Grafana offers for each variable, as a query."""
    queries = {}
    for name, board in _boards().items():
        for one in board["templating"]["list"]:
            asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", one["query"])
            assert asked, one["query"]
            metric, label = asked.groups()
            queries[f"{name}: ${one['name']}"] = f'group by ({label}) ({metric}{{{label}!=""}})'
    return queries


def _of_all_models(query: str) -> str:
    return query.replace("$model", ".*")


def _names(query: str) -> set[str]:
    return {name for name, _ in SELECTOR.findall(query)} - {"up", "ALERTS"}


def _base(name: str) -> str:
    return name if name in DOCUMENTED else re.sub(r"_(bucket|count|sum)$", "", name)


def test_rules_are_rules_and_keep_their_promises(promtool: Path) -> None:
    run(promtool, "check", "rules", RULES)
    run(promtool, "check", "config", "--syntax-only", ROOT / "deploy/prometheus/prometheus.yml")
    run(promtool, "test", "rules", *RULE_TESTS)


def test_every_alert_is_explained_and_tested() -> None:
    alerts = {rule["alert"]: rule for rule in _rules() if "alert" in rule}
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.strip("# ").lower()).replace(" ", "-")
        for line in (ROOT / "docs/operations.md").read_text().splitlines()
        if line.startswith("#")
    }
    for name, rule in alerts.items():
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md"
        assert anchor in headings, name
    tests = [test for path in RULE_TESTS for test in yaml.safe_load(path.read_text())["tests"]]
    expected = [one for test in tests for one in test.get("alert_rule_test", ())]
    assert {one["alertname"] for one in expected if one["exp_alerts"]} == set(alerts)
    assert {one["alertname"] for one in expected if not one["exp_alerts"]} <= set(alerts)
    for fired in (fired for one in expected for fired in one["exp_alerts"]):
        assert fired["exp_labels"]["severity"] in {"page", "ticket"}
        assert fired["exp_annotations"].keys() == {"summary", "runbook"}


def test_queries_name_only_metrics_that_are_documented() -> None:
    recorded = {rule["record"] for rule in _rules() if "record" in rule}
    for where, query in _queries().items():
        for name in _names(query) - recorded:
            assert _base(name) in DOCUMENTED or name.startswith("process_"), f"{where}: {name}"


def test_queries_name_only_labels_that_are_documented() -> None:
    """What a selector asks for that no series has, nothing gives; what a sum is made by, nothing tells."""
    for where, query in _queries().items():
        for name, matchers in SELECTOR.findall(query):
            if name != "ALERTS":
                assert _matched(matchers) <= _labels(name), f"{where}: {name}"
        grouped = re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", query)
        known = set[str]().union(*(_labels(name) for name in _names(query)))
        assert set(re.findall(r"\w+", " ".join(grouped))) <= known, where


def _matched(matchers: str) -> set[str]:
    return set(re.findall(r"(\w+)\s*[=!]", re.sub(r'"[^"]*"', '""', matchers)))


def _labels(name: str) -> set[str]:
    """What series of this name can have; of a recorded one, what its rule is by."""
    recorded = {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}
    by = re.findall(r"\bby \(([^)]*)\)", recorded.get(name, ""))
    return {*LABELS.get(_base(name), ()), *re.findall(r"\w+", " ".join(by)), *PROMETHEUS_ADDS}


def test_nothing_is_fired_by_a_service_that_is_well(monitored: Monitored) -> None:
    assert monitored.query('ALERTS{alertstate="firing"}') == []


def test_every_query_gives_numbers(eventful: Monitored) -> None:
    """Rates do so once Prometheus has looked before and after; an alert's parts do, though it is quiet."""
    queries = {
        **{rule["record"]: rule["expr"] for rule in _rules() if "record" in rule},
        **{
            f"{rule['alert']}: {name}{matchers}": f"{name}{matchers}"
            for rule in _rules()
            if "alert" in rule
            for name, matchers in SELECTOR.findall(rule["expr"])
        },
        **_panels(),
        **_variables(),
    }
    left = {where: query for where, query in queries.items() if not _names(query) & NEEDS_A_FAULT}

    def all_give() -> bool:
        for where in [where for where, query in left.items() if eventful.query(query)]:
            del left[where]
        return not left

    with contextlib.suppress(AssertionError):
        until(all_give, 60)
    assert not left


def test_legends_name_labels_that_results_have(eventful: Monitored) -> None:
    for where, target in _targets_of_panels().items():
        named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        for series in eventful.query(_of_all_models(target["expr"])):
            assert named <= series["metric"].keys(), where


def test_a_champions_change_is_drawn(eventful: Monitored) -> None:
    """Not its first: of a series that begins with 1 Prometheus sees no change."""
    now = time.time()
    for where, query in _annotations().items():
        (line,) = eventful.prometheus.query_range(query, now - 3600, now, 1)
        assert line["metric"] == {"model": NAME}, where


def test_promtools_linter_finds_nothing(monitored: Monitored, promtool: Path) -> None:
    for address in (monitored.gateway, monitored.sync):
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
            text = answer.read()
        checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
        assert (checked.returncode, checked.stderr + checked.stdout) == (0, b""), checked.stderr.decode()


def test_what_is_exported_is_documented(eventful: Monitored) -> None:
    exported: set[str] = set()
    for address in (eventful.gateway, eventful.sync):
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        exported |= set(re.findall(r"^# TYPE (fixgate_[a-z0-9_]+)", text, re.MULTILINE))
        for sample in (one for family in text_string_to_metric_families(text) for one in family.samples):
            if sample.name.startswith("fixgate_"):
                assert sample.labels.keys() - {"le"} == LABELS[_base(sample.name)], sample.name
    assert exported <= DOCUMENTED
    conditional = {"fixgate_api_keys", "fixgate_api_keys_stale"}
    assert {name for name in DOCUMENTED if name.startswith("fixgate_")} - exported <= conditional


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Path) -> None:
    board = json.loads(path.read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in cells, panel["title"]
                cells.add((x, y))
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "prometheus"
    provisioned = (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text()
    assert yaml.safe_load(provisioned)["datasources"][0]["uid"] == "prometheus"
