"""sync's options."""

from pathlib import Path

import pytest

from contract.environment import SHARED, SYNC
from sync.config import from_env, known_names
from sync.errors import Misconfigured


def test_without_any_variable_the_defaults_hold() -> None:
    config = from_env({})
    assert (config.poll_s, config.keep, config.models, config.sync_port) == (0.5, 1, ("*",), 8081)
    assert config.staging_folder == Path(".fixgate/staging")


def test_variables_are_read_with_their_types() -> None:
    config = from_env(
        {
            "FIXGATE_POLL_S": "2.5",
            "FIXGATE_KEEP": "0",
            "FIXGATE_TRITON_HTTP": "a:8000, b:8000",
            "FIXGATE_MODELS": "loc,tag:team=rf",
            "FIXGATE_STAGING": "/srv/staging",
            "FIXGATE_KIND": "gpu",
        }
    )
    assert (config.poll_s, config.keep, config.kind) == (2.5, 0, "gpu")
    assert config.triton_http == ("a:8000", "b:8000")
    assert config.models == ("loc", "tag:team=rf")
    assert config.staging_folder == Path("/srv/staging")


def test_heimdalls_names_are_fallbacks() -> None:
    fallbacks = {"MLFLOW_TRACKING_URI": "http://m", "REDIS_URL": "redis://r", "MLFLOW_MODEL_NAME": "loc"}
    config = from_env(fallbacks)
    assert (config.mlflow_uri, config.redis_url, config.default_model) == ("http://m", "redis://r", "loc")
    assert from_env({**fallbacks, "FIXGATE_MLFLOW_URI": "http://own"}).mlflow_uri == "http://own"


def test_an_empty_variable_counts_as_unset() -> None:
    assert from_env({"FIXGATE_KEEP": ""}).keep == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIXGATE_POLL_S", "0"),
        ("FIXGATE_POLL_S", "soon"),
        ("FIXGATE_KEEP", "-1"),
        ("FIXGATE_SYNC_PORT", "70000"),
        ("FIXGATE_KIND", "tpu"),
        ("FIXGATE_MAX_BATCH_SIZE", "0"),
    ],
)
def test_a_value_that_cannot_be_is_an_error_that_names_variable_and_value(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=rf"{name}: .*got '{value}'"):
        from_env({name: value})


def test_a_redis_that_cannot_be_used_is_an_error_without_its_password() -> None:
    with pytest.raises(Misconfigured, match="FIXGATE_REDIS_URL: a Redis Cluster cannot be used") as raised:
        from_env({"FIXGATE_REDIS_URL": "redis+cluster://:pa55word@host:7000"})
    assert "pa55word" not in str(raised.value)


def test_every_option_is_among_the_names_that_all_parts_know() -> None:
    assert known_names() <= SYNC | SHARED


def test_a_secret_is_read_from_its_file_and_one_that_cannot_be_read_ends_the_start(tmp_path: Path) -> None:
    file = tmp_path / "redis-url"
    file.write_text("redis://:secret@redis:6379/0\n")
    assert from_env({"FIXGATE_REDIS_URL_FILE": str(file)}).redis_url == "redis://:secret@redis:6379/0"
    with pytest.raises(Misconfigured, match="FIXGATE_REDIS_URL_FILE"):
        from_env({"FIXGATE_REDIS_URL_FILE": str(tmp_path / "none")})
