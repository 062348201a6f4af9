"""Options from the environment."""

from pathlib import Path

import pytest

from contract import environment
from gateway.config import Config, ConfigError, from_env, known_names


def test_everything_has_a_default() -> None:
    assert from_env({}) == Config()


def test_options_are_read_by_their_names() -> None:
    config = from_env(
        {
            "FIXGATE_HOST": "0.0.0.0",  # noqa: S104
            "FIXGATE_PORT": "9000",
            "FIXGATE_HOME": "/var/lib/fixgate",
            "FIXGATE_TRITON_GRPC": "one:8001, two:8001",
            "FIXGATE_CACHE_TTL_S": "60",
            "FIXGATE_DRAIN_DELAY_S": "2.5",
            "FIXGATE_API_KEYS_FILE": "/etc/fixgate/keys",
            "FIXGATE_RATE_LIMIT": "100/second",
            "FIXGATE_CORS_ORIGINS": "https://map.example, http://localhost:3000",
        }
    )
    assert (config.host, config.port, config.home) == ("0.0.0.0", 9000, Path("/var/lib/fixgate"))  # noqa: S104
    assert config.triton_grpc == ("one:8001", "two:8001")
    assert (config.cache_ttl_s, config.drain_delay_s) == (60, 2.5)
    assert config.snapshot == Path("/var/lib/fixgate/gateway/catalog.json")
    assert (config.api_keys_file, config.rate_limit) == (Path("/etc/fixgate/keys"), "100/second")
    assert config.cors_origins == ("https://map.example", "http://localhost:3000")


def test_an_empty_value_counts_as_not_given() -> None:
    assert from_env({"FIXGATE_PORT": "", "FIXGATE_DEFAULT_MODEL": ""}) == Config()


@pytest.mark.parametrize(
    ("calls", "workers", "tritons", "own"),
    [(2, 1, 1, 2), (2, 2, 1, 1), (2, 4, 1, 1), (8, 2, 1, 4), (2, 1, 3, 6)],
)
def test_workers_share_the_calls_in_flight(calls: int, workers: int, tritons: int, own: int) -> None:
    grpc = tuple(f"triton-{number}:8001" for number in range(tritons))
    config = Config(calls_in_flight=calls, workers=workers, triton_grpc=grpc)
    assert config.own_calls_in_flight == own


@pytest.mark.parametrize(
    ("fallback", "own", "attribute"),
    [
        ("REDIS_URL", "FIXGATE_REDIS_URL", "redis_url"),
        ("MLFLOW_MODEL_NAME", "FIXGATE_DEFAULT_MODEL", "default_model"),
    ],
)
def test_heimdalls_names_are_fallbacks(fallback: str, own: str, attribute: str) -> None:
    assert getattr(from_env({fallback: "redis://a"}), attribute) == "redis://a"
    assert getattr(from_env({fallback: "redis://a", own: "redis://b"}), attribute) == "redis://b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIXGATE_PORT", "0"),
        ("FIXGATE_PORT", "65536"),
        ("FIXGATE_PORT", "http"),
        ("FIXGATE_REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis+cluster://localhost:7000"),
        ("FIXGATE_REDIS_URL", "redis+sentinel://localhost:26379"),
        ("FIXGATE_TRITON_GRPC", "localhost"),
        ("FIXGATE_TRITON_GRPC", "good:1,bad"),
        ("FIXGATE_TRITON_GRPC", ","),
        ("FIXGATE_TRITON_HTTP", "one:8000,two:8000"),
        ("FIXGATE_TRITON_SHM", "yes"),
        ("FIXGATE_CACHE_TTL_S", "0"),
        ("FIXGATE_CACHE_L1_BYTES", "-1"),
        ("FIXGATE_MAX_BODY_BYTES", "10"),
        ("FIXGATE_PREDICT_TIMEOUT_MS", "1.5"),
        ("FIXGATE_CALLS_IN_FLIGHT", "0"),
        ("FIXGATE_LOG_LEVEL", "loud"),
        ("FIXGATE_DRAIN_DELAY_S", "nan"),
        ("FIXGATE_RATE_LIMIT", "100"),
        ("FIXGATE_RATE_LIMIT", "0/second"),
        ("FIXGATE_RATE_LIMIT", "1.5/second"),
        ("FIXGATE_RATE_LIMIT", "100/fortnight"),
        ("FIXGATE_MAX_CONCURRENT_REQUESTS", "0"),
        ("FIXGATE_CORS_ORIGINS", "map.example"),
        ("FIXGATE_CORS_ORIGINS", "https://map.example/"),
        ("FIXGATE_CORS_ORIGINS", "https://good.example,https://Bad.example"),
    ],
)
def test_an_impossible_value_is_an_error_that_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: "):
        from_env({name: value})


@pytest.mark.parametrize("name", ["FIXGATE_TLS_CERT", "FIXGATE_TLS_KEY"])
def test_half_of_a_certificate_and_its_key_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="FIXGATE_TLS_CERT, FIXGATE_TLS_KEY: give both, or neither"):
        from_env({name: "/etc/fixgate/tls.pem"})


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        from_env({"FIXGATE_REDIS_URL": "http://user:secret@host"})
    assert "secret" not in str(caught.value)


def test_every_name_is_known_to_all_parts() -> None:
    assert known_names() == environment.SHARED | environment.GATEWAY


def test_a_secret_is_read_from_its_file_and_one_that_cannot_be_read_ends_the_start(tmp_path: Path) -> None:
    file = tmp_path / "redis-url"
    file.write_text("redis://:secret@redis:6379/0\n")
    assert from_env({"FIXGATE_REDIS_URL_FILE": str(file)}).redis_url == "redis://:secret@redis:6379/0"
    with pytest.raises(ConfigError, match="FIXGATE_REDIS_URL_FILE"):
        from_env({"FIXGATE_REDIS_URL_FILE": str(tmp_path / "none")})
