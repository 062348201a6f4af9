"""What can happen to a registry while sync watches it: deletions, moves, commands, events."""

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from contract import command, keys
from contract.command import Command, Reply
from sync.api import make_app
from sync.desired import RegisteredVersion
from sync.registry import Registry
from sync.server import Server
from sync.webhook_setup import register
from sync.webhooks import PATH
from tests.sync import models
from tests.sync.rig import Rig, again

pytestmark = pytest.mark.stack


def serve(rig: Rig, *seeds: int) -> None:
    """Versions 1, 2, … with these seeds, each the champion in its turn."""
    for seed in seeds:
        number = rig.register_files(models.localiser(seed), "champion")
        rig.run_until(lambda number=number: rig.champion == number)  # type: ignore[misc]
    rig.settle()


def test_a_model_deleted_and_made_again_is_swapped_and_never_served_under_the_old_digest(
    sync_rig: Rig,
) -> None:
    serve(sync_rig, 1)
    assert sync_rig.served is not None
    old = sync_rig.served.versions[0].digest
    sync_rig.client.delete_registered_model(sync_rig.name)
    assert sync_rig.register_files(models.localiser(2), "champion") == 1
    seen = []

    def swapped() -> bool:
        if sync_rig.served is not None:
            seen.append((sync_rig.served.versions[0].digest, sync_rig.answer(1)[0]))
        return bool(seen) and seen[-1][0] != old

    sync_rig.run_until(swapped)
    before = [latitude for digest, latitude in seen if digest == old]
    assert before == pytest.approx([45.01] * len(before), abs=1e-4)
    assert seen[-1][1] == pytest.approx(45.02, abs=1e-4)
    sync_rig.settle()
    assert sync_rig.tags(1)["fixgate.digest"] == seen[-1][0]


def test_a_model_made_again_with_the_same_files_is_not_touched(sync_rig: Rig) -> None:
    serve(sync_rig, 1)
    catalog = sync_rig.catalog
    folder = sync_rig.triton.repository / sync_rig.name / "1"
    written = folder.stat().st_mtime_ns
    sync_rig.client.delete_registered_model(sync_rig.name)
    assert sync_rig.register_files(models.localiser(1), "champion") == 1
    sync_rig.run_until(lambda: "fixgate.digest" in sync_rig.tags(1))
    sync_rig.settle()
    assert folder.stat().st_mtime_ns == written
    assert catalog is not None
    assert sync_rig.served == catalog.models[sync_rig.name]


def test_a_model_made_again_with_bad_files_leaves_the_old_ones_served(sync_rig: Rig) -> None:
    serve(sync_rig, 1)
    sync_rig.client.delete_registered_model(sync_rig.name)
    assert sync_rig.register_files(b"rubbish", "champion") == 1
    sync_rig.settle()
    assert sync_rig.tags(1)["fixgate.status"] == "rejected"
    assert sync_rig.champion == 1
    assert sync_rig.answer(1)[0] == pytest.approx(45.01, abs=1e-4)


def test_an_alias_that_moves_while_its_version_is_downloaded_is_followed(
    sync_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(sync_rig, 1)
    downloading, go = threading.Event(), threading.Event()
    real = Registry.download

    def slow(self: Registry, version: RegisteredVersion, *rest: Any) -> None:
        if version.number == 2:
            downloading.set()
            assert go.wait(30)
        real(self, version, *rest)

    monkeypatch.setattr(Registry, "download", slow)
    sync_rig.register_files(models.localiser(2), "champion")
    sync_rig.run_until(downloading.is_set)
    sync_rig.register_files(models.localiser(3), "champion")
    sync_rig.run_until(lambda: sync_rig.champion == 3, "the newer one served, the older still downloading")
    go.set()
    sync_rig.settle()
    assert sync_rig.numbers == [1, 3]


def test_a_version_deleted_while_it_is_the_champion_is_served_until_something_else_is(sync_rig: Rig) -> None:
    serve(sync_rig, 1, 2)
    sync_rig.client.delete_model_version(sync_rig.name, "1")
    sync_rig.settle()
    sync_rig.client.delete_model_version(sync_rig.name, "2")
    sync_rig.settle()
    assert sync_rig.champion == 2
    last = sync_rig.parts.watch.last
    assert last is not None
    assert any("what is served stays" in problem for problem in last.seen.problems)


def test_stages_serve_where_there_is_no_alias(sync_rig: Rig) -> None:
    number = sync_rig.register_files(models.localiser(1))
    with pytest.warns(FutureWarning):
        sync_rig.client.transition_model_version_stage(sync_rig.name, str(number), "Production")
    sync_rig.settle()
    assert sync_rig.champion == 1
    assert sync_rig.served is not None
    assert sync_rig.served.versions[0].stage == "Production"


def ask(rig: Rig, action: str, **fields: Any) -> Reply:
    """Send a command and run passes until it is answered."""
    now = time.time()
    one = Command(uuid.uuid4().hex, action, "tests", now, now + 30, rig.name, **fields)  # type: ignore[arg-type]
    with redis.Redis.from_url(rig.redis_url) as client:
        client.xadd(keys.COMMANDS, {"command": command.dump(one)})
        rig.run_until(lambda: bool(client.exists(keys.reply(one.id))), "answered")
        answer = client.lpop(keys.reply(one.id))
    assert isinstance(answer, bytes)
    return command.parse_reply(answer)


def test_commands_promote_and_roll_back_through_the_registry(sync_rig: Rig) -> None:
    serve(sync_rig, 1, 2)
    back = ask(sync_rig, "rollback")
    assert (back.ok, back.before, back.after) == (True, {sync_rig.name: 2}, {sync_rig.name: 1})
    assert sync_rig.champion == 1
    assert sync_rig.client.get_model_version_by_alias(sync_rig.name, "champion").version == "1"
    forth = ask(sync_rig, "promote", version=2)
    assert forth.after == {sync_rig.name: 2}
    by = [one.by for one in sync_rig.journal("switch")]
    assert by[:2] == ["registry", "registry"]
    assert all(one.startswith("tests (command ") for one in by[2:])
    reload = ask(sync_rig, "reload")
    assert (reload.ok, reload.before) == (True, {sync_rig.name: 2})
    assert not ask(sync_rig, "promote", version=9).ok


@contextmanager
def listening(rig: Rig) -> Iterator[str]:
    """sync's own port; yields its address."""
    server = Server(make_app(rig.parts.watch), "127.0.0.1", 0)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


def get(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, body, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_syncs_own_port_tells_health_readiness_status_and_metrics(sync_rig: Rig) -> None:
    with listening(sync_rig) as url:
        assert get(f"{url}/health")[0] == 200
        assert get(f"{url}/ready")[0] == 503
        sync_rig.register_files(models.localiser(1), "champion")
        sync_rig.settle()
        assert get(f"{url}/ready") == (200, b'{"ready":true,"problem":null}')
        status = json.loads(get(f"{url}/status")[1])
        (model,) = status["models"]
        assert (model["name"], model["versions"][0]["state"]) == (sync_rig.name, "served")
        code, metrics = get(f"{url}/metrics")
        assert code == 200
        assert f'fixgate_sync_served_versions{{model="{sync_rig.name}"}} 1.0'.encode() in metrics


def test_mlflows_signed_event_wakes_the_loop_and_a_forged_one_does_not(sync_rig: Rig) -> None:
    rig = again(sync_rig, webhook_secret="a long secret of ours")
    rig.register_files(models.localiser(1), "champion")
    rig.settle()
    bell = rig.parts.watch.bell
    with listening(rig) as url:
        first = register(rig.mlflow_uri, url + PATH, "a long secret of ours")
        assert register(rig.mlflow_uri, url + PATH, "a long secret of ours") != first
        assert len([one for one in rig.client.list_webhooks() if one.url == url + PATH]) == 1
        bell.wait(0)
        deadline = time.monotonic() + 20
        rig.alias("candidate", 1)
        while not bell.rung(1.5):  # MLflow may still go by its list of webhooks of a second ago
            assert time.monotonic() < deadline, "no event came"
            rig.alias("candidate", 1)
        bell.wait(0)
        assert get(url + PATH, b"{}")[0] == 401
        assert not bell.rung(0)
        for one in rig.client.list_webhooks():
            rig.client.delete_webhook(one.webhook_id)
    assert b'fixgate_sync_webhooks_total{outcome="refused"} 1.0' in rig.parts.watch.metrics.render()
    rig.stop()


def test_a_webhook_that_mlflow_refuses_is_an_error(mlflow_uri: str) -> None:
    from sync.errors import RegistryUnavailable

    with pytest.raises(RegistryUnavailable, match="takes no webhook"):
        register(mlflow_uri, "not a url", "secret")


def test_a_repository_that_cannot_be_written_holds_back_nothing_that_is_served(sync_rig: Rig) -> None:
    serve(sync_rig, 1)
    real = sync_rig.triton.repository
    folder: Path = real / sync_rig.name

    def broken(*_arguments: Any) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sync.folder_repository.os.rename", broken)
        sync_rig.register_files(models.localiser(2), "champion")
        sync_rig.run_until(lambda: "fixgate.reason" in sync_rig.tags(2))
        assert sync_rig.tags(2)["fixgate.status"] == "waiting"
        assert "Permission denied" in sync_rig.tags(2)["fixgate.reason"]
        assert sync_rig.champion == 1
    sync_rig.run_until(lambda: sync_rig.champion == 2)
