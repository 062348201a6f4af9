"""From options to parts: what is started, what is used as it is, what each is told."""

import json
from pathlib import Path

import pytest

from contract import environment
from stack.options import Options
from stack.part import CannotStart, Part
from stack.parts import parts, shared_environment, without_password
from tests.launch import free_ports

PORTS = {
    "port": 8080,
    "sync_port": 8081,
    "triton_http_port": 8000,
    "triton_grpc_port": 8001,
    "triton_metrics_port": 8002,
    "mlflow_port": 5000,
    "redis_port": 6380,
    "workers": 3,
}


def options(home: Path, **changes: object) -> Options:
    fields = {"home": home, "model_repository": home / "models", "host": "127.0.0.1", **PORTS, **changes}
    return Options(**fields)  # type: ignore[arg-type]


def named(made: list[Part]) -> dict[str, Part]:
    return {part.name: part for part in made}


def test_everything_of_ours_in_the_order_of_starting(tmp_path: Path) -> None:
    made = parts(options(tmp_path, first_model="m", register=(("a.onnx",), ("b.onnx",))))
    assert [part.name for part in made] == ["redis", "mlflow", "triton", "models", "sync", "gateway"]
    needs = {part.name: part.after for part in made}
    assert needs["models"] == ("mlflow",)
    assert needs["sync"] == ("redis", "mlflow")
    assert needs["gateway"] == ("redis",)
    assert json.loads(named(made)["models"].command[-1]) == [["a.onnx"], ["b.onnx"]]


def test_what_runs_elsewhere_is_not_started(tmp_path: Path, redis_url: str, mlflow_uri: str) -> None:
    made = named(parts(options(tmp_path, redis_url=redis_url, mlflow_uri=mlflow_uri)))
    assert list(made) == ["triton", "sync", "gateway"]
    assert made["sync"].after == made["gateway"].after == ()
    assert made["sync"].environment["FIXGATE_MLFLOW_URI"] == mlflow_uri
    assert made["gateway"].environment["FIXGATE_REDIS_URL"] == redis_url
    assert made["gateway"].environment["FIXGATE_WORKERS"] == "3"


def test_a_redis_elsewhere_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="REDIS_URL: a Redis Cluster cannot be used"):
        parts(options(tmp_path, redis_url="redis+cluster://host:7000"))


def test_a_redis_elsewhere_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"redis://me:secret@127.0.0.1:{free_ports(1)[0]}/0"
    with pytest.raises(CannotStart, match=r"redis://me:\*\*\*@127.*does not answer.*REDIS_URL") as error:
        parts(options(tmp_path, redis_url=url))
    assert "secret" not in str(error.value)


def test_an_mlflow_elsewhere_that_does_not_answer_is_named(tmp_path: Path) -> None:
    uri = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(CannotStart, match=rf"{uri} does not answer.*MLFLOW_TRACKING_URI"):
        parts(options(tmp_path, mlflow_uri=uri))


def test_any_http_answer_of_an_mlflow_elsewhere_will_do(tmp_path: Path, mlflow_uri: str) -> None:
    behind_a_login = f"{mlflow_uri}/api/2.0/mlflow/runs/get"  # 4xx without parameters
    made = named(parts(options(tmp_path, mlflow_uri=behind_a_login)))
    assert "mlflow" not in made


def test_stores_without_http_are_left_to_sync(tmp_path: Path) -> None:
    made = named(parts(options(tmp_path, mlflow_uri="sqlite:///theirs.db")))
    assert made["sync"].environment["FIXGATE_MLFLOW_URI"] == "sqlite:///theirs.db"


def test_every_name_handed_on_is_one_that_is_read(tmp_path: Path) -> None:
    told = shared_environment(options(tmp_path, first_model="m"))
    assert environment.unknown(told) == []
    assert told["FIXGATE_DEFAULT_MODEL"] == "m"


def test_every_variable_of_a_port_is_one_that_is_known(tmp_path: Path) -> None:
    assert environment.unknown(port.variable for port in options(tmp_path).ports) == []


def test_the_default_model_is_what_was_asked_for_before_the_demo(tmp_path: Path) -> None:
    told = shared_environment(options(tmp_path, first_model="demo", default_model="mine"))
    assert told["FIXGATE_DEFAULT_MODEL"] == "mine"
    assert "FIXGATE_DEFAULT_MODEL" not in shared_environment(options(tmp_path))


def test_ports_of_what_runs_elsewhere_are_not_ours(tmp_path: Path) -> None:
    ours = {port.option for port in options(tmp_path, redis_url="redis://x", mlflow_uri="http://x").ports}
    assert ours == {
        "--port",
        "--sync-port",
        "--triton-http-port",
        "--triton-grpc-port",
        "--triton-metrics-port",
    }


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),  # noqa: S104 - what a container would give
        ("::1", "http://[::1]:8080"),
    ],
)
def test_the_gateway_is_reached_where_it_listens(tmp_path: Path, host: str, url: str) -> None:
    assert options(tmp_path, host=host).gateway_url == url


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("redis://127.0.0.1:6380/0", "redis://127.0.0.1:6380/0"),
        ("redis://:p%40ss@host/1", "redis://:***@host/1"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        (
            "redis+sentinel://:pw@a:1,b:2/m?sentinel_password=own&sentinel_username=u",
            "redis+sentinel://:***@a:1,b:2/m?sentinel_password=***&sentinel_username=u",
        ),
    ],
)
def test_passwords_are_not_shown(url: str, safe: str) -> None:
    assert without_password(url) == safe
