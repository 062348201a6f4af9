"""Our own Triton."""

import ctypes
import http.client
import importlib.util
import sysconfig
from pathlib import Path

import pytest

from stack import triton_server
from stack.part import LOOPBACK, CannotStart, http_ok
from stack.triton_server import TritonPorts, shared_memory_prefix, triton_part
from tests.gateway import stand
from tests.launch import Triton
from tests.stack.test_redis_server import listeners

PORTS = TritonPorts(8000, 8001, 8002)


def test_it_lives_and_measures(triton: Triton) -> None:
    http, metrics = (int(address.rpartition(":")[2]) for address in (triton.http, triton.metrics))
    assert http_ok(http, "/v2/health/live")
    assert http_ok(metrics, "/metrics")


def ordered(triton: Triton, model: str, verb: str) -> tuple[int, str]:
    """Triton's answer to an order to load or unload a model."""
    connection = http.client.HTTPConnection(triton.http, timeout=10)
    try:
        connection.request("POST", f"/v2/repository/models/{model}/{verb}", b"{}")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_nobody_can_order_it_to_load_or_unload_a_model(triton: Triton) -> None:
    """What it serves is what its repository says, and that is sync's."""
    served = stand.echo_model("stack-ordered")
    stand.publish(triton, served)
    for model, verb in (("x", "load"), (served.name, "load"), (served.name, "unload")):
        status, words = ordered(triton, model, verb)
        assert status >= 400
        assert "not allowed" in words
    assert stand.version_ready(triton, served.name, served.version)
    stand.withdraw(triton, served.name)


def test_it_is_reached_from_this_machine_only(triton: Triton) -> None:
    for address in (triton.http, triton.grpc, triton.metrics):
        assert set(listeners(int(address.rpartition(":")[2]))) == {LOOPBACK}


def test_every_port_is_as_asked(tmp_path: Path) -> None:
    command = triton_part(tmp_path, tmp_path / "models", TritonPorts(1, 2, 3)).command
    assert {"--http-port=1", "--grpc-port=2", "--metrics-port=3"} <= set(command)


def test_triton_sees_the_repository_by_a_path_that_no_shell_can_misread(tmp_path: Path) -> None:
    for name in ("first", "my $(touch models)"):  # the second start is given another repository
        part = triton_part(tmp_path / "my home", tmp_path / name, PORTS)
        assert "--model-repository=repository" in part.command
        assert (part.folder / "repository").resolve() == tmp_path / name
    assert not any(str(tmp_path) in word for word in part.command)


def test_shared_memory_that_a_killed_triton_left_is_removed(tmp_path: Path) -> None:
    left = triton_server.SHARED_MEMORY / f"{shared_memory_prefix(tmp_path)}left"
    others = triton_server.SHARED_MEMORY / f"{shared_memory_prefix(tmp_path / 'other')}in-use"
    try:
        left.touch()
        others.touch()
        triton_part(tmp_path, tmp_path / "models", PORTS)
        assert not left.exists()
        assert others.exists()
    finally:
        left.unlink(missing_ok=True)
        others.unlink()


def test_backends_are_assembled_anew_over_old_ones(tmp_path: Path) -> None:
    model = tmp_path / "triton" / "backends" / "onnxruntime" / "model.py"
    triton_part(tmp_path, tmp_path / "models", PORTS)
    model.write_text("of another release")
    triton_part(tmp_path, tmp_path / "models", PORTS)
    assert model.read_text() == triton_server.BACKEND.read_text()
    assert not list(tmp_path.rglob("*.new"))


def test_without_the_wheel_the_user_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CannotStart, match=r"fixgate\[stack\]"):
        triton_part(tmp_path, tmp_path / "models", PORTS)


def test_without_a_shared_libpython_the_user_is_told_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: str(tmp_path))
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    with pytest.raises(CannotStart, match=r"libpython3\.\d+\.so\.1\.0.*apt install libpython3"):
        triton_part(tmp_path, tmp_path / "models", PORTS)


def test_libpython_that_the_linker_finds_needs_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _: str(tmp_path))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: None)
    searched = triton_part(tmp_path, tmp_path / "models", PORTS).environment["LD_LIBRARY_PATH"]
    assert searched is not None
    assert str(tmp_path) not in searched.split(":")
