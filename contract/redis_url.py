"""Where Redis is: one server, or the Sentinels that know which server is the master just now. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

ONE = ("redis", "rediss", "unix")
SENTINEL = ("redis+sentinel", "rediss+sentinel")
ALLOWED = ", ".join(f"{scheme}://" for scheme in ONE + SENTINEL)

OPTIONS = ("sentinel_username", "sentinel_password")
TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")

SENTINEL_PORT = 26379

_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Sentinels, all of one group, and the master that they watch under the name `service`.

    `own` says how to talk to them, `master` how to talk to it: both in redis-py's words.
    """

    hosts: tuple[tuple[str, int], ...]
    service: str
    own: Mapping[str, Any] = field(repr=False)
    master: Mapping[str, Any] = field(repr=False)


def sentinels(url: str) -> Sentinels | None:
    """The Sentinels that a URL names; None for the URL of one server.

    `redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/service[/database]`; user and password are
    the master's. The query may have `sentinel_username` and `sentinel_password`, and those of `TLS` with
    `rediss+sentinel`, which means TLS to the Sentinels and to the master.

    Raises:
        ValueError: it cannot be used; says what is wrong and what is allowed, without the password.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ONE:
        return None
    if separator and "cluster" in scheme:
        raise ValueError(
            "a Redis Cluster cannot be used: it does not do in one step what lies in several slots; "
            f"allowed: {ALLOWED}"
        )
    if not separator or scheme not in SENTINEL:
        raise ValueError(f"not the URL of a Redis; allowed: {ALLOWED}")
    rest, _, query = rest.partition("?")
    authority, _, path = rest.partition("/")
    credentials, _, hosts = authority.rpartition("@")
    service, _, database = path.partition("/")
    if not service:
        raise ValueError(f"the master's name is missing: {scheme}://host:26379/NAME")
    if not re.fullmatch("[0-9]*", database):
        raise ValueError(f"the database must be a number: {scheme}://host:26379/NAME/NUMBER")
    user, _, password = credentials.partition(":")
    given = _options(scheme, query)
    tls = (
        {"ssl": True, **{name: given[name] for name in TLS if name in given}} if scheme == SENTINEL[1] else {}
    )
    return Sentinels(
        hosts=tuple(map(_host, hosts.split(","))),
        service=unquote(service),
        own={**tls, **_login(given.get("sentinel_username", ""), given.get("sentinel_password", ""))},
        master={**tls, **_login(unquote(user), unquote(password)), "db": int(database or 0)},
    )


def _host(text: str) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    port = int(found["port"] or SENTINEL_PORT) if found else 0
    if not found or not 1 <= port <= 65_535:
        raise ValueError("Sentinels are given as host:port, comma separated, with ports from 1 to 65535")
    return found["host"].strip("[]"), port


def _options(scheme: str, query: str) -> dict[str, str]:
    allowed = OPTIONS + (TLS if scheme == SENTINEL[1] else ())
    given = dict(parse_qsl(query, keep_blank_values=True))
    for name in given:
        if name not in allowed:
            raise ValueError(f"unknown option {name!r} in {scheme}://…?…; allowed: {', '.join(allowed)}")
    return given


def _login(user: str, password: str) -> dict[str, str]:
    return {name: value for name, value in (("username", user), ("password", password)) if value}
