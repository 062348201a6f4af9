"""docker-compose.yml: everything it promises, short of a Docker engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.environment import KNOWN, SECRETS
from tests.deploy.conftest import ROOT, run, tool

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
JOBS = {"prepare-models", "prepare-keys", "prepare-objects", "bucket", "webhook", "keys", "fixgate"}
SERVERS = set(SERVICES) - JOBS
EXAMPLE = dict(
    line.split("=", 1)
    for line in (ROOT / ".env.example").read_text().splitlines()
    if line and not line.startswith("#")
)


def test_it_fits_the_compose_specification() -> None:
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_the_example_environment_has_every_variable_and_no_other() -> None:
    used = re.findall(r"\$\{([A-Z_]+)(?::-([^}]*))?\}", (ROOT / "docker-compose.yml").read_text())
    assert {name for name, _ in used} | {"COMPOSE_PROFILES"} == set(EXAMPLE)
    for name, default in used:
        assert not default or name == "TRITON_MEMORY" or EXAMPLE[name] == default, name


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    user = service["user"].split(":")[0]
    assert user.isdigit()
    assert (user == "0") == (name == "prepare-objects"), "root only where a folder is handed over"
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_every_server_has_limits_and_comes_back(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert limits["cpus"]
    assert limits["memory"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_every_server_says_when_it_is_healthy(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_who_waits_waits_for_health_or_for_a_jobs_end() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            if other in JOBS:
                assert how["condition"] == "service_completed_successfully", (name, other)
            else:
                assert how["condition"] == "service_healthy", (name, other)
                assert "healthcheck" in SERVICES[other]
            optional = bool(SERVICES[other].get("profiles"))
            assert how.get("required", True) is not optional, (name, other)


def test_nothing_waits_for_itself() -> None:
    left = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left


def test_at_boot_servers_may_start_in_any_order() -> None:
    """Docker knows of no order then, and does not try again what could not be started."""
    for name, service in SERVICES.items():
        for shared in ("ipc", "pid", "network_mode"):
            assert not service.get(shared, "").startswith(("service:", "container:")), (name, shared)
        assert "volumes_from" not in service, name


def test_only_the_gateway_mlflow_and_grafana_are_published() -> None:
    published = {name for name, service in SERVICES.items() if service.get("ports")}
    assert published == {"gateway", "mlflow", "grafana"}
    open_networks = {name for name, network in COMPOSE["networks"].items() if not network.get("internal")}
    assert open_networks == {"edge"}
    assert {name for name, one in SERVICES.items() if "edge" in _networks(one)} == published
    assert EXAMPLE["MLFLOW_BIND"] == EXAMPLE["GRAFANA_BIND"] == "127.0.0.1"


def test_who_talks_to_whom_shares_a_network() -> None:
    for one, other in [
        ("gateway", "redis"), ("gateway", "triton"), ("gateway", "triton-gpu"), ("sync", "triton"),
        ("sync", "redis"), ("sync", "mlflow"), ("mlflow", "sync"), ("mlflow", "postgres"),
        ("mlflow", "object-store"), ("bucket", "object-store"), ("webhook", "mlflow"),
        ("prometheus", "gateway"), ("prometheus", "sync"), ("prometheus", "triton"),
        ("grafana", "prometheus"),
    ]:  # fmt: skip
        assert _networks(SERVICES[one]) & _networks(SERVICES[other]), (one, other)
    assert not _networks(SERVICES["gateway"]) & _networks(SERVICES["postgres"])
    assert not _networks(SERVICES["gateway"]) & _networks(SERVICES["mlflow"]) - {"edge"}


def test_the_commands_container_finds_sync_gateway_and_models() -> None:
    """Its image would have it listen where sync does; `tune` writes beside the models."""
    environment = SERVICES["fixgate"]["environment"]
    assert environment["FIXGATE_SYNC_HOST"] == "sync"
    assert environment["FIXGATE_URL"] == "http://gateway:8080"
    assert SERVICES["sync"]["environment"].items() <= environment.items()
    assert "models:/models" in SERVICES["fixgate"]["volumes"]
    for other in ("sync", "gateway", "mlflow"):
        assert _networks(SERVICES["fixgate"]) & _networks(SERVICES[other]), other


def test_repository_and_staging_lie_on_one_mount() -> None:
    assert "models:/models" in SERVICES["sync"]["volumes"]
    assert "models:/models:ro" in SERVICES["triton"]["volumes"]
    dockerfile = (ROOT / "deploy/docker/sync.Dockerfile").read_text()
    assert "FIXGATE_MODEL_REPOSITORY=/models/model_repository" in dockerfile
    assert "FIXGATE_STAGING=/models/staging" in dockerfile
    assert "--model-repository=/models/model_repository" in SERVICES["triton"]["command"]


def test_gateway_and_triton_share_memory_and_its_owner() -> None:
    for name in ("gateway", "triton", "triton-gpu"):
        assert "shared-memory:/dev/shm:nocopy" in SERVICES[name]["volumes"]
        assert SERVICES[name]["user"] == SERVICES["sync"]["user"]
    volume = COMPOSE["volumes"]["shared-memory"]
    assert volume["driver"] == "local"
    options = volume["driver_opts"]
    assert (options["type"], options["device"]) == ("tmpfs", "tmpfs")
    assert {"mode=1777", "size=${SHARED_MEMORY:-1g}"} <= set(options["o"].split(","))


def test_models_get_the_cpus_of_triton_and_not_those_of_sync() -> None:
    for option in ("FIXGATE_INSTANCES", "FIXGATE_THREADS"):
        assert SERVICES["sync"]["environment"][option].startswith(f"${{{option}:-")
    for name in ("triton", "triton-gpu"):
        assert SERVICES[name]["deploy"]["resources"]["limits"]["cpus"].startswith("${TRITON_CPUS:-")
    (gpu,) = re.findall(r"^# .*With gpu: (.*)\.$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    on_gpu = dict(one.split("=") for one in gpu.split(", "))
    assert (on_gpu["FIXGATE_KIND"], on_gpu["FIXGATE_INSTANCES"]) == ("gpu", "1")
    for values in (EXAMPLE, EXAMPLE | on_gpu):
        taken = int(values["FIXGATE_INSTANCES"]) * int(values["FIXGATE_THREADS"])
        assert taken == int(values["TRITON_CPUS"])


def test_triton_is_pinned_runs_on_the_cpu_by_default_and_polls() -> None:
    assert re.search(r"nvcr\.io/nvidia/tritonserver:\d\d\.\d\d-py3\}$", SERVICES["triton"]["image"])
    assert EXAMPLE["COMPOSE_PROFILES"] == "cpu"
    assert (SERVICES["triton"]["profiles"], SERVICES["triton-gpu"]["profiles"]) == (["cpu"], ["gpu"])
    devices = SERVICES["triton-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices[0]["capabilities"] == ["gpu"]
    assert "reservations" not in SERVICES["triton"]["deploy"]["resources"]
    for name in ("triton", "triton-gpu"):
        command = SERVICES[name]["command"]
        assert {"--model-control-mode=poll", "--strict-readiness=false"} <= set(command)
        assert "--disable-auto-complete-config" in command
        assert "/v2/health/live" in SERVICES[name]["healthcheck"]["test"][-1]


def test_every_image_is_pinned() -> None:
    for name, service in SERVICES.items():
        assert re.search(r":[^:/]*\d[^:/]*$", service["image"]), name
        assert not service["image"].endswith("latest")


def test_mlflow_knows_its_names_and_may_call_sync() -> None:
    environment = SERVICES["mlflow"]["environment"]
    assert "mlflow:5000" in environment["ALLOWED_HOSTS"].split(",")
    assert environment["MLFLOW_WEBHOOK_ALLOWED_SCHEMES"] == "http,https"
    assert environment["MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS"] == "true"
    assert "http://sync:8081/webhooks/mlflow" in SERVICES["webhook"]["entrypoint"]


def test_options_are_options_and_secrets_come_as_files() -> None:
    for service in SERVICES.values():
        environment = service.get("environment", {})
        for name, value in environment.items():
            assert not name.startswith("FIXGATE_") or name in KNOWN, name
            assert name not in SECRETS or "@" not in value
            assert not re.search(r"PASSWORD$|SECRET$|KEY$", name), f"{name}: a secret in the environment"
            if value.startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], name
    mounted = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    assert mounted == set(COMPOSE["secrets"])


def test_volumes_and_files_that_are_mounted_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"], (
                volume
            )


def test_every_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    script = str(ROOT / "deploy/secrets.sh")
    run("sh", script, str(tmp_path / "secrets"))
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} <= set(made)
    assert all(content for name, content in made.items() if name != "prometheus_api_key")
    assert made["redis_password"] in made["redis_url"]
    assert made["postgres_password"] in made["mlflow_database_uri"]
    assert made["s3_secret_key"] in made["s3_config"]
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    run("sh", script, str(tmp_path / "secrets"))
    assert made == {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}


@pytest.mark.parametrize("name", ["gateway", "sync", "mlflow"])
def test_dockerfiles_pass_the_linter(name: str) -> None:
    run(tool("hadolint"), f"deploy/docker/{name}.Dockerfile")


def test_shell_scripts_are_shell() -> None:
    for script in (ROOT / "deploy").rglob("*.sh"):
        run("sh", "-n", script)


def _networks(service: dict[str, Any]) -> set[str]:
    return set(service.get("networks", ()))
