"""`fixgate cache clear`, on a real Redis."""

from pathlib import Path

import redis
from typer.testing import CliRunner

from cli.main import app
from contract import keys
from gateway.cache.shared import redis_key
from tests.launch import free_ports


def clear(redis_url: str, *arguments: str) -> str:
    """What it prints."""
    ended = CliRunner().invoke(app, ["cache", "clear", *arguments, "--redis-url", redis_url])
    assert ended.exit_code == 0, ended.output
    return ended.output


def fill(client: "redis.Redis", *models: str) -> None:
    """Two fixes of each, and something that is no fix."""
    for model in models:
        for number in (1, 2):
            client.set(redis_key(model, bytes([number]) * 32), b"fix", ex=60)
    client.set(keys.CATALOG, b"catalogue")


def test_one_models_fixes_are_forgotten_and_nothing_else(empty_redis: str) -> None:
    """Also when another's name begins like it, or it looks like a pattern."""
    with redis.Redis.from_url(empty_redis) as client:
        fill(client, "a", "a:b", "a*", "b")
        assert clear(empty_redis, "a") == "forgot 2 fixes of a\n"
        assert client.dbsize() == 6 + 2
        assert clear(empty_redis, "a*") == "forgot 2 fixes of a*\n"
        assert {key.decode().rpartition(":")[0] for key in client.keys(f"{keys.FIXES}*")} == {
            f"{keys.FIXES}a:b",
            f"{keys.FIXES}b",
        }
        assert client.get(keys.CATALOG) == b"catalogue"


def test_all_fixes_are_forgotten_and_gateways_are_told(empty_redis: str) -> None:
    with redis.Redis.from_url(empty_redis) as client:
        fill(client, "a", "b")
        assert clear(empty_redis) == "forgot 4 fixes\n"
        assert clear(empty_redis) == "forgot 0 fixes\n"
        assert sorted(client.keys()) == [keys.CACHE_GENERATION.encode(), keys.CATALOG.encode()]
        assert client.get(keys.CACHE_GENERATION) == b"2"


def test_the_redis_may_be_told_by_a_file_as_to_both_planes(empty_redis: str, tmp_path: Path) -> None:
    secret = tmp_path / "redis_url"
    secret.write_text(f"{empty_redis}\n")
    told = {"FIXGATE_REDIS_URL_FILE": str(secret), "FIXGATE_REDIS_URL": "", "REDIS_URL": "redis://nowhere"}
    with redis.Redis.from_url(empty_redis) as client:
        fill(client, "a")
    ended = CliRunner().invoke(app, ["cache", "clear"], env=told)
    assert ended.output == "forgot 2 fixes\n"
    both = {**told, "FIXGATE_REDIS_URL": empty_redis, "COLUMNS": "200"}
    ended = CliRunner().invoke(app, ["cache", "clear"], env=both)
    assert ended.exit_code == 2
    assert "give one of them" in ended.stderr


def test_without_redis_it_says_so() -> None:
    nowhere = f"redis://127.0.0.1:{free_ports(1)[0]}"
    ended = CliRunner().invoke(app, ["cache", "clear", "--redis-url", nowhere])
    assert ended.exit_code == 1
    assert "Redis does not answer" in ended.stderr
