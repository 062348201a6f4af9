"""Rules, alerts and dashboards, against a real Prometheus that scrapes a running gateway and sync."""

import contextlib
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from contract import keys
from demo import shipped
from tests import launch
from tests.deploy.conftest import ROOT, run
from tests.deploy.waiting import until
from tests.planes import Parts, gateway_plane, sync_plane
from tests.prometheus_server import RULES, Prometheus, prometheus_server

NAME = "monitored"
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
DOCUMENTED = set(re.findall(r"^\| `([a-z_]+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))

NEEDS_A_FAULT = {
    "fixgate_api_keys_stale",
    "fixgate_breaker_open",
    "fixgate_fallbacks_total",
    "fixgate_rollout_share",
    "fixgate_shadow_distance_metres_bucket",
    "fixgate_shadow_failures_total",
    "fixgate_shadow_skipped_total",
    "fixgate_sync_refusals_total",
    "fixgate_sync_switches_total",
}
"""No series before something goes wrong, is switched, or is told."""


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
        _register(mlflow_uri)
        until(lambda: _status(f"{gateway}/ready") == 200, 120)

        def seen() -> bool:
            """Prometheus has scraped traffic twice, and evaluated the rules over it."""
            _traffic(gateway)
            return bool(monitored.query("fixgate:predict_duration_seconds:p95_rate5m > 0"))

        until(seen, 60)
        yield monitored


def _targets(gateway: str, sync: str) -> dict[str, str]:
    jobs = {"fixgate-gateway": gateway, "fixgate-sync": sync}
    return {job: url.removeprefix("http://") for job, url in jobs.items()}


def _register(mlflow_uri: str) -> None:
    champion = shipped.VERSIONS[0]
    run(
        sys.executable, "-m", "cli", "register", champion.model, "--name", NAME,
        "--contract", champion.contract, "--alias", "champion", "--mlflow-uri", mlflow_uri,
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


def _rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def _queries() -> dict[str, str]:
    """Every query of dashboards and rules, by where it stands."""
    queries = {rule.get("record") or rule["alert"]: rule["expr"] for rule in _rules()}
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel["targets"]:
                queries[f"{path.stem}: {panel['title']} {target['refId']}"] = target["expr"]
    return {where: query.replace("$model", ".*") for where, query in queries.items()}


def _names(query: str) -> set[str]:
    without_strings = re.sub(r'"[^"]*"', '""', query)
    return set(re.findall(r"\b(?:fixgate|process)[a-z0-9_:]*[a-z0-9]\b", without_strings))


def test_rules_are_rules_and_keep_their_promises(promtool: Path) -> None:
    run(promtool, "check", "rules", RULES)
    run(promtool, "check", "config", "--syntax-only", ROOT / "deploy/prometheus/prometheus.yml")
    run(promtool, "test", "rules", ROOT / "deploy/prometheus/rules.test.yml")


def test_every_alert_is_explained_and_tested() -> None:
    alerts = {rule["alert"]: rule for rule in _rules() if "alert" in rule}
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.strip("# ").lower()).replace(" ", "-")
        for line in (ROOT / "docs/operations.md").read_text().splitlines()
        if line.startswith("#")
    }
    tests = (ROOT / "deploy/prometheus/rules.test.yml").read_text()
    for name, rule in alerts.items():
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md"
        assert anchor in headings, name
        if name not in {"FixgateObjectiveMissed", "FixgateHitRateLow"}:  # as the others, over longer windows
            assert name in tests, name


def test_queries_name_only_metrics_that_are_documented() -> None:
    recorded = {rule["record"] for rule in _rules() if "record" in rule}
    for where, query in _queries().items():
        for name in _names(query) - recorded:
            base = re.sub(r"_(bucket|count|sum)$", "", name)
            assert {name, base} & DOCUMENTED or name.startswith("process_"), f"{where}: {name}"


def test_every_query_gives_numbers(monitored: Monitored) -> None:
    """Rates do so once Prometheus has looked before and after."""
    alerts = {rule["alert"] for rule in _rules() if "alert" in rule}
    left = {
        where: query
        for where, query in _queries().items()
        if where not in alerts and not _names(query) & NEEDS_A_FAULT
    }

    def all_give() -> bool:
        for where in [where for where, query in left.items() if monitored.query(query)]:
            del left[where]
        return not left

    with contextlib.suppress(AssertionError):
        until(all_give, 60)
    assert not left


def test_nothing_is_fired_by_a_service_that_is_well(monitored: Monitored) -> None:
    assert monitored.query('ALERTS{alertstate="firing"}') == []


def test_promtools_linter_finds_nothing(monitored: Monitored, promtool: Path) -> None:
    for address in (monitored.gateway, monitored.sync):
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
            text = answer.read()
        checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
        assert (checked.returncode, checked.stderr + checked.stdout) == (0, b""), checked.stderr.decode()


def test_what_is_exported_is_documented(monitored: Monitored) -> None:
    exported: set[str] = set()
    for address in (monitored.gateway, monitored.sync):
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
            exported |= set(re.findall(r"^# TYPE (fixgate_[a-z0-9_]+)", answer.read().decode(), re.MULTILINE))
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
