"""deploy/kubernetes: rendered by an old kustomize, checked against schemas, held to its promises."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.environment import KNOWN, SECRETS
from sync import s3_url
from tests.deploy.conftest import ROOT, run, tool

OVERLAYS = ROOT / "deploy/kubernetes/overlays"
PROMETHEUS = ROOT / "deploy/prometheus"
KINDS = {
    "ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "PersistentVolumeClaim",
    "PodDisruptionBudget", "Service", "ServiceMonitor", "StatefulSet",
}  # fmt: skip
"""None of them lets anybody into the cluster by itself."""

Objects = dict[tuple[str, str], dict[str, Any]]


def render(kubectl: Path, overlay: str) -> str:
    return run(kubectl, "kustomize", OVERLAYS / overlay)


@pytest.fixture(scope="module")
def cpu(kubectl: Path) -> Objects:
    return parsed(render(kubectl, "cpu"))


@pytest.fixture(scope="module")
def gpu(kubectl: Path) -> Objects:
    return parsed(render(kubectl, "gpu"))


@pytest.fixture(scope="module")
def object_storage(kubectl: Path) -> Objects:
    return parsed(render(kubectl, "object-storage"))


@pytest.fixture(params=["cpu", "gpu", "object_storage"])
def overlay(request: pytest.FixtureRequest) -> Objects:
    """Each of them in turn."""
    objects: Objects = request.getfixturevalue(request.param)
    return objects


def parsed(text: str) -> Objects:
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}


def workload(objects: Objects, name: str) -> dict[str, Any]:
    return objects["StatefulSet" if name == "triton" else "Deployment", name]


def pod(objects: Objects, name: str) -> dict[str, Any]:
    """A workload's pod."""
    spec: dict[str, Any] = workload(objects, name)["spec"]["template"]["spec"]
    return spec


def container(objects: Objects, name: str) -> dict[str, Any]:
    (found,) = pod(objects, name)["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", ["1.29.0", "1.33.0"])
def test_every_object_fits_kubernetes_own_schemas(
    cpu: Objects, gpu: Objects, object_storage: Objects, tmp_path: Path, version: str
) -> None:
    files = []
    for name, objects in (("cpu", cpu), ("gpu", gpu), ("object-storage", object_storage)):
        ours = [one for one in objects.values() if one["kind"] != "ServiceMonitor"]  # the operator's kind
        assert len(ours) >= 14
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump_all(ours))
    run(tool("kubernetes-validate"), "--strict", "--kubernetes-version", version, *files)


def test_every_overlay_is_rendered_here() -> None:
    assert {path.name for path in OVERLAYS.iterdir()} == {"cpu", "gpu", "object-storage"}


def test_pods_are_confined(overlay: Objects) -> None:
    for name in ("gateway", "triton", "sync"):
        spec = pod(overlay, name)
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in [*spec["containers"], *spec.get("initContainers", [])]:
            context = one["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in one["resources"]["limits"]


def test_the_gateway_scales_by_cpu_and_by_requests_in_progress(cpu: Objects) -> None:
    scaler = cpu["HorizontalPodAutoscaler", "gateway"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == "gateway"
    by_cpu, in_progress = scaler["metrics"]
    assert by_cpu["resource"]["name"] == "cpu"
    assert in_progress["pods"]["metric"]["name"] == "fixgate_http_requests_in_progress"
    assert scaler["minReplicas"] >= 2
    assert "replicas" not in cpu["Deployment", "gateway"]["spec"], "it would fight the autoscaler"


def test_a_gateway_goes_without_dropping_anybody(cpu: Objects) -> None:
    one = container(cpu, "gateway")
    probes = {name: one[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    assert probes == {"startup": "/health", "readiness": "/startup", "liveness": "/health"}
    options = {option["name"]: option["value"] for option in one["env"]}
    sleeping = float(one["lifecycle"]["preStop"]["exec"]["command"][1])
    draining = float(options["FIXGATE_DRAIN_DELAY_S"]) + float(options["FIXGATE_DRAIN_TIMEOUT_S"])
    assert pod(cpu, "gateway")["terminationGracePeriodSeconds"] > sleeping + draining
    probe = one["readinessProbe"]
    noticed = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert noticed < float(options["FIXGATE_DRAIN_DELAY_S"])
    assert cpu["Deployment", "gateway"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert len(pod(cpu, "gateway")["topologySpreadConstraints"]) == 2


def test_models_get_the_cpus_that_triton_asks_for(overlay: Objects) -> None:
    """sync, left to itself, would share out all that its own node has."""
    options = {option["name"]: option["value"] for option in container(overlay, "sync")["env"]}
    asked = int(container(overlay, "triton")["resources"]["requests"]["cpu"])
    assert int(options["FIXGATE_INSTANCES"]) * int(options["FIXGATE_THREADS"]) == asked
    assert (options["FIXGATE_KIND"] == "gpu") == (options["FIXGATE_INSTANCES"] == "1")


def test_a_bad_version_does_not_take_triton_out_of_service(cpu: Objects) -> None:
    one = container(cpu, "triton")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert one[probe]["httpGet"]["path"] == "/v2/health/live"
    assert {"--strict-readiness=false", "--exit-on-error=false", "--model-control-mode=poll"} <= set(
        one["args"]
    )


def test_gateways_and_sync_know_every_replica_of_triton_by_name(cpu: Objects) -> None:
    service = cpu["Service", "triton"]["spec"]
    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"] is True
    triton = cpu["StatefulSet", "triton"]["spec"]
    assert triton["serviceName"] == "triton"
    options = cpu["ConfigMap", "fixgate"]["data"]
    for option, port in (("FIXGATE_TRITON_GRPC", 8001), ("FIXGATE_TRITON_HTTP", 8000)):
        named = options[option].split(",")
        assert named == [f"triton-{number}.triton:{port}" for number in range(triton["replicas"])]


def test_there_is_one_sync_that_writes_and_tritons_that_read(cpu: Objects) -> None:
    sync = cpu["Deployment", "sync"]["spec"]
    assert (sync["replicas"], sync["strategy"]) == (1, {"type": "Recreate"})
    assert cpu["PersistentVolumeClaim", "models"]["spec"]["accessModes"] == ["ReadWriteMany"]
    written = {mount["mountPath"]: mount for mount in container(cpu, "sync")["volumeMounts"]}
    assert "readOnly" not in written["/models"]
    read = {mount["mountPath"]: mount for mount in container(cpu, "triton")["volumeMounts"]}
    assert read["/models"]["readOnly"] is True
    assert "--model-repository=/models/model_repository" in container(cpu, "triton")["args"]


def test_options_are_options_and_secrets_come_as_files(cpu: Objects) -> None:
    for name in ("gateway", "sync"):
        for option in container(cpu, name)["env"]:
            assert option["name"] in KNOWN
            assert option["name"] not in SECRETS
    assert set(cpu["ConfigMap", "fixgate"]["data"]) <= KNOWN


def test_nothing_comes_in_but_what_is_named(overlay: Objects) -> None:
    policies = {name: one["spec"] for (kind, name), one in overlay.items() if kind == "NetworkPolicy"}
    assert policies.pop("default-deny") == {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert policies.keys() == {"gateway", "triton", "sync"}
    for name, policy in policies.items():
        labels = workload(overlay, name)["spec"]["template"]["metadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
        assert "Ingress" in policy["policyTypes"]
    monitoring = namespace("monitoring")
    assert policies["gateway"]["ingress"] == [{"ports": [{"port": "http"}]}]
    assert policies["sync"]["ingress"] == [
        {"from": [namespace("mlflow"), monitoring], "ports": [{"port": "http"}]}
    ]
    assert policies["triton"]["ingress"] == [
        {"from": [pods("gateway"), pods("sync")], "ports": [{"port": "http"}, {"port": "grpc"}]},
        {"from": [monitoring], "ports": [{"port": "metrics"}]},
    ]


def namespace(name: str) -> dict[str, Any]:
    """A peer of a NetworkPolicy: every pod of a namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def pods(name: str) -> dict[str, Any]:
    """A peer of a NetworkPolicy: a workload's own pods, in the same namespace."""
    return {"podSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}


def test_triton_goes_nowhere_but_to_object_storage(
    cpu: Objects, gpu: Objects, object_storage: Objects
) -> None:
    for objects in (cpu, gpu):
        assert objects["NetworkPolicy", "triton"]["spec"]["egress"] == []
    for objects in (cpu, gpu, object_storage):
        assert objects["NetworkPolicy", "triton"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert object_storage["NetworkPolicy", "triton"]["spec"]["egress"] == [
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
        {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 9000, "protocol": "TCP"}]},
    ]


def test_nothing_is_published_outside_the_cluster(overlay: Objects) -> None:
    assert {kind for kind, _ in overlay} == KINDS
    services = {name: one["spec"] for (kind, name), one in overlay.items() if kind == "Service"}
    assert services.keys() == {"gateway", "triton", "sync"}
    for service in services.values():
        assert service.get("type", "ClusterIP") == "ClusterIP"
        assert not {"externalIPs", "externalName", "loadBalancerIP"} & service.keys()
    text = json.dumps(list(overlay.values()))
    for key in ("hostIPC", "hostNetwork", "hostPID", "hostPath", "hostPort", "nodePort"):
        assert f'"{key}":' not in text, key


def test_disruptions_take_one_at_a_time(cpu: Objects) -> None:
    for name in ("gateway", "triton"):
        assert cpu["PodDisruptionBudget", name]["spec"]["maxUnavailable"] == 1


def test_what_selects_something_selects_it(cpu: Objects) -> None:
    ports = {"gateway": {"http"}, "sync": {"http"}, "triton": {"http", "grpc", "metrics"}}
    for name, named in ports.items():
        service = cpu["Service", name]
        labels = workload(cpu, name)["spec"]["template"]["metadata"]["labels"]
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["name"] for port in service["spec"]["ports"]} == named
        monitor = cpu["ServiceMonitor", name]["spec"]
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert {endpoint["port"] for endpoint in monitor["endpoints"]} <= named


def test_what_selects_a_job_selects_one_that_is_scraped(overlay: Objects) -> None:
    """Here and in Compose: of rules and dashboards there is one copy for both."""
    monitors = [one for (kind, _), one in overlay.items() if kind == "ServiceMonitor"]
    jobs = {job(endpoint) for monitor in monitors for endpoint in monitor["spec"]["endpoints"]}
    compose = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    assert jobs == {one["job_name"] for one in compose} - {"prometheus"}, "which scrapes itself there"
    matchers = list(job_matchers())
    assert {"fixgate-gateway", "fixgate-sync", "fixgate-.*"} <= {wanted for _, _, wanted in matchers}
    for where, operator, wanted in matchers:
        pattern = wanted if operator.endswith("~") else re.escape(wanted)
        named = {one for one in jobs if re.fullmatch(pattern, one)}
        assert jobs - named if operator.startswith("!") else named, f"{where}: job{operator}{wanted!r}"


def job(endpoint: dict[str, Any]) -> str:
    """What an endpoint of a ServiceMonitor calls its job in place of the Service's name."""
    (replaced,) = [one for one in endpoint["relabelings"] if one["targetLabel"] == "job"]
    assert replaced.keys() == {"targetLabel", "replacement"}, "whatever the target"
    return str(replaced["replacement"])


def job_matchers() -> Iterator[tuple[str, str, str]]:
    """Where a job is selected, how (=, =~, !=, !~), and which."""
    for path in (PROMETHEUS / "rules.yml", *(ROOT / "deploy/grafana/dashboards").glob("*.json")):
        for operator, wanted in re.findall(r'\bjob\s*([=!]=?~?)\s*\\?"([^"\\]*)', path.read_text()):
            yield path.name, operator, wanted


def test_the_operator_gets_the_same_rules() -> None:
    rule = yaml.safe_load(run("sh", ROOT / "deploy/kubernetes/prometheus-rule.sh", cwd=Path("/")))
    assert (rule["apiVersion"], rule["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert rule["metadata"]["namespace"] == "fixgate"
    assert rule["spec"] == yaml.safe_load((PROMETHEUS / "rules.yml").read_text())


def test_the_gpu_overlay_asks_for_one_and_tells_sync(cpu: Objects, gpu: Objects) -> None:
    assert container(gpu, "triton")["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"name": "FIXGATE_KIND", "value": "gpu"} in container(gpu, "sync")["env"]
    assert "nvidia.com/gpu" not in container(cpu, "triton")["resources"]["limits"]


def test_through_object_storage_there_is_one_url_and_no_shared_volume(object_storage: Objects) -> None:
    given = object_storage["ConfigMap", "fixgate"]["data"]["FIXGATE_MODEL_REPOSITORY"]
    url = s3_url.parse(given)
    assert url is not None
    assert url.endpoint is not None
    triton, sync = container(object_storage, "triton"), container(object_storage, "sync")
    assert "--model-repository=$(FIXGATE_MODEL_REPOSITORY)" in triton["args"]
    assert {"configMapRef": {"name": "fixgate"}} in sync["envFrom"]
    (variable,) = [one for one in triton["env"] if one["name"] == "FIXGATE_MODEL_REPOSITORY"]
    assert variable["valueFrom"]["configMapKeyRef"] == {"name": "fixgate", "key": "FIXGATE_MODEL_REPOSITORY"}
    for one in (triton, sync, *pod(object_storage, "triton")["initContainers"]):
        assert {"secretRef": {"name": "fixgate-object-storage", "optional": True}} in one["envFrom"]
    assert object_storage["PersistentVolumeClaim", "models"]["spec"]["accessModes"] == ["ReadWriteOnce"]
    spec = pod(object_storage, "triton")
    (first,) = spec["initContainers"]
    assert first["command"] == ["python", "-P", "-m", "sync.s3_wait"]
    assert first["image"] == sync["image"]
    assert first["env"] == [variable]
    assert not first.get("volumeMounts")
    assert "persistentVolumeClaim" not in str(spec["volumes"])
    assert {mount["name"] for mount in triton["volumeMounts"]} == {"tmp", "shared-memory"}
    assert {mount["name"]: mount["mountPath"] for mount in sync["volumeMounts"]}.items() >= {
        ("staging", "/models/staging"),
        ("models", "/var/lib/fixgate"),
    }


def test_through_object_storage_triton_differs_in_nothing_else(cpu: Objects, object_storage: Objects) -> None:
    before, after = container(cpu, "triton")["args"], container(object_storage, "triton")["args"]
    assert set(before) ^ set(after) == {
        "--model-repository=/models/model_repository",
        "--model-repository=$(FIXGATE_MODEL_REPOSITORY)",
    }
    port = s3_url.parse(object_storage["ConfigMap", "fixgate"]["data"]["FIXGATE_MODEL_REPOSITORY"])
    assert port is not None
    open_ports = {
        one["port"]
        for rule in object_storage["NetworkPolicy", "triton"]["spec"]["egress"]
        for one in rule["ports"]
    }
    assert int(str(port.endpoint).rpartition(":")[2]) in open_ports
