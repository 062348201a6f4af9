"""The rules, without HTTP."""

from pathlib import Path

import pytest
from multidict import CIMultiDict

from gateway.access.key_file import Scope
from gateway.access.policy import is_loopback, make_access, network
from gateway.config import Config, ConfigError
from gateway.errors import Forbidden, TooManyRequests
from tests.gateway.conftest import Clock


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example", False),
        ("127.0.0.1.example", False),
        ("", False),
        (None, False),
    ],
)
def test_loopback(host: str | None, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("/run/socket", ""),
        (None, ""),
    ],
)
def test_whose_rate_an_address_counts_to(address: str | None, caller: str) -> None:
    assert network(address) == caller


def test_a_file_of_keys_that_cannot_be_used_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"FIXGATE_API_KEYS_FILE: cannot read {tmp_path}/none"):
        make_access(Config(api_keys_file=tmp_path / "none"), Clock())
    (tmp_path / "bad").write_text("\n{}\n")
    with pytest.raises(ConfigError, match=f"FIXGATE_API_KEYS_FILE: {tmp_path}/bad: line 2: "):
        make_access(Config(api_keys_file=tmp_path / "bad"), Clock())


def test_a_file_without_keys_lets_nobody_in_and_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "keys").touch()
    access = make_access(Config(api_keys_file=tmp_path / "keys"), Clock())
    assert access.keyring is not None
    assert "holds no key" in caplog.text


def test_a_refused_administrator_uses_up_nobodys_rate() -> None:
    access = make_access(Config(host="192.0.2.1", rate_limit="1/hour"), Clock())
    nothing: CIMultiDict[str] = CIMultiDict()
    with pytest.raises(Forbidden):
        access.admit(Scope.ADMIN, nothing, "192.0.2.9")
    access.admit(Scope.READ, nothing, "192.0.2.9")
    with pytest.raises(TooManyRequests, match="more than 1/hour with this address; wait 3600 s"):
        access.admit(Scope.READ, nothing, "192.0.2.9")
