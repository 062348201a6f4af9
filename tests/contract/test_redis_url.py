"""URLs of Redis: what they name, and what is said of those that cannot be used."""

import pytest

from contract.redis_url import Sentinels, sentinels

PASSWORD = "pa55word"


@pytest.mark.parametrize("url", ["redis://h", "rediss://:x@h:6379/1?ssl_cert_reqs=none", "unix:///run/redis"])
def test_one_server_has_no_sentinels(url: str) -> None:
    assert sentinels(url) is None


def test_sentinels_and_their_master() -> None:
    found = sentinels("redis+sentinel://one,two:26380,[::1]:5/mymaster")
    assert found == Sentinels(
        hosts=(("one", 26379), ("two", 26380), ("::1", 5)), service="mymaster", own={}, master={"db": 0}
    )


def test_each_has_a_login_of_its_own() -> None:
    url = f"redis+sentinel://me:p%40ss@one/my%20master/3?sentinel_username=s&sentinel_password={PASSWORD}"
    found = sentinels(url)
    assert found is not None
    assert found.service == "my master"
    assert found.master == {"username": "me", "password": "p@ss", "db": 3}
    assert found.own == {"username": "s", "password": PASSWORD}
    assert PASSWORD not in repr(found)
    assert "p@ss" not in repr(found)


def test_tls_is_for_both() -> None:
    found = sentinels("rediss+sentinel://:x@one/m?ssl_ca_certs=/ca.pem")
    assert found is not None
    assert found.own == {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert found.master == {"ssl": True, "ssl_ca_certs": "/ca.pem", "password": "x", "db": 0}


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        (f"redis//:{PASSWORD}@h", "allowed: redis://"),
        (f"http://:{PASSWORD}@h", "allowed: redis://"),
        (f"redis+cluster://:{PASSWORD}@h:7000", "a Redis Cluster cannot be used"),
        (f"redis+sentinel://:{PASSWORD}@h:26379", "the master's name is missing"),
        (f"redis+sentinel://:{PASSWORD}@h:26379/", "the master's name is missing"),
        (f"redis+sentinel://:{PASSWORD}@h/m/zero", "the database must be a number"),
        (f"redis+sentinel://:{PASSWORD}@h:0/m", "ports from 1 to 65535"),
        (f"redis+sentinel://:{PASSWORD}@h:65536/m", "ports from 1 to 65535"),
        (f"redis+sentinel://:{PASSWORD}@h,/m", "host:port, comma separated"),
        (f"redis+sentinel://:{PASSWORD}@/m", "host:port, comma separated"),
        (f"redis+sentinel://:{PASSWORD}@h/m?db=1", "unknown option 'db'"),
        (f"redis+sentinel://:{PASSWORD}@h/m?ssl_ca_certs=x", "unknown option 'ssl_ca_certs'"),
    ],
)
def test_what_cannot_be_used_is_named_without_the_password(url: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong) as raised:
        sentinels(url)
    assert PASSWORD not in str(raised.value)
