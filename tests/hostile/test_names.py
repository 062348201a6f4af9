"""Hostile names and ids: nothing that a client chooses gets into a path, a header or the log as it is."""

import json
import re
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.hostile.conftest import MODEL, Target, refused

NAMES = [
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "....//....//etc",
    "%00",
    "a%0d%0aX-Injected:%20yes",
    "a%0aWARNING%20gateway:%20forged",
    "%1b%5b31mred",
    "%ff%fe",
    "%u2025",
    "a" * 7000,
    "*",
    "%E2%80%AE",
    "%7b%7b7*7%7d%7d",
    "fixgate%3afix%3a*",
    "NUL",
]
PINS = ["../../x", "1;DROP", "\x1b[31m", "é", "9" * 5000]
IDS = [
    "\x1b[2Jforged",
    "a b\tc",
    "é" * 50,
    "x" * 5000,
    "${jndi:ldap://x}",
    "<script>",
    "a\x7fb",
    "'; --",
    "%0d%0aX: y",
]
MADE_UP = 50
JSON = "Content-Type: application/json\r\n"
LAST = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def request(method: str, path: str, headers: str = "") -> str:
    """With a body that could be a recording."""
    body = '{"iq_data":[[1,2]]}'
    fixed = f"Host: x\r\n{JSON}Content-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\n{fixed}{headers}\r\n{body}"


def paths(name: str) -> Iterator[str]:
    """Wherever a client may put a name."""
    yield f"/{name}"
    yield f"/models/{name}/predict"
    yield f"/models/{MODEL}/versions/{name}/predict"
    yield f"/models/{MODEL}/aliases/{name}/predict"


def make_up(target: Target, kind: str, method: str) -> None:
    """Ask for many models, versions, aliases, paths and methods that there are not, on one connection."""
    sent = []
    for number in range(MADE_UP):
        name = f"made-up-{kind}-{number}"
        sent += [request("POST", path) for path in paths(name)]
        sent.append(request("POST", f"/models/{MODEL}/versions/{1000 + number}/predict"))
        sent.append(
            request("POST", "/predict", f"X-Model-Version: {1000 + number}\r\nX-Request-Id: {name}\r\n")
        )
        sent.append(request(method, f"/models/{name}/predict"))
    found = target.send(("".join(sent) + LAST).encode())
    assert len(found) == len(sent) + 1
    assert all(refused(answer) for answer in found[:-1])
    assert all(refused(answer) for answer in target.send(request(f"MADE-UP-{kind}", "/predict").encode()))


def series(target: Target) -> set[tuple[str, ...]]:
    """Each series: its name, and its labels' values."""
    (answer,) = target.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.status == 200
    families = text_string_to_metric_families(answer.body.decode())
    return {(one.name, *one.labels.values()) for family in families for one in family.samples}


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_model_version_or_alias_is_a_404_or_400(target: Target, name: str) -> None:
    for path in (
        f"/models/{name}/predict",
        f"/models/{MODEL}/versions/{name}/predict",
        f"/models/{MODEL}/aliases/{name}/predict",
    ):
        answer = target.post(b"{}", "Content-Type: application/json\r\n", path)
        assert refused(answer)
        assert "x-injected" not in answer.headers
        assert b"passwd:" not in answer.body
        assert b"root:" not in answer.body


@pytest.mark.parametrize("pin", PINS)
def test_a_hostile_pin_is_a_4xx(target: Target, pin: str) -> None:
    head = f"Content-Type: application/json\r\nX-Model-Version: {pin}\r\n"
    assert refused(target.post(b"{}", head))


@pytest.mark.parametrize("given", IDS)
def test_a_hostile_request_id_is_replaced(target: Target, given: str) -> None:
    answer = target.post(b"{}", f"Content-Type: application/json\r\nX-Request-Id: {given}\r\n")
    assert refused(answer)
    assert re.fullmatch(r"[A-Za-z0-9._:/+=-]{1,128}", answer.headers["x-request-id"])
    assert json.loads(answer.body)["request_id"] == answer.headers["x-request-id"]


def test_what_clients_choose_stays_on_its_line_of_the_log(target: Target) -> None:
    """New lines, escape sequences and NULs, as ids, sessions, models, versions, paths and whole requests."""
    forged = "forged-line"
    bad = f"\\n{forged}\\r\\u001b[31m{forged}\\u0000"
    target.post(
        f'{{"features":[91,9,1,1,0],"session_id":"{bad}"}}'.encode(),
        "Content-Type: application/json\r\nUser-Agent: \x1b[31m\r\n",
    )
    for path in (f"/x%0a{forged}%1b%5b31m", f"/models/%0a{forged}/predict?x=%0a{forged}"):
        target.post(b"{}", "Content-Type: application/json\r\nX-Request-Id: \x1b]0;x\x07\r\n", path)
    target.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: \x1b[31m\x00\n" + forged.encode() + b"\r\n\r\n")
    target.send(b"\n" + forged.encode() + b"\x1b[31m\n\n")
    written = target.log.read_bytes()
    assert not re.search(rb"(?m)^" + forged.encode(), written)
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", written)


def test_nothing_that_clients_choose_is_told_by_a_metric(target: Target) -> None:
    for name in NAMES:
        for path in paths(name):
            target.post(b"{}", JSON, path)
    for given in (*PINS, *IDS):
        target.post(
            b"{}", f"{JSON}X-Model-Version: {given}\r\nX-Request-Id: {given}\r\nUser-Agent: {given}\r\n"
        )
    told = {label for _, *labels in series(target) for label in labels}
    words = {*NAMES, *map(unquote, NAMES), *PINS, *IDS}
    assert [word for word in words if any(word in label for label in told)] == []


def test_series_do_not_grow_with_what_clients_make_up(target: Target) -> None:
    """A stall may bring an outcome that was not there before, but no series for each of many names."""
    make_up(target, "one", "PROPFIND")
    series(target)
    before = series(target)
    make_up(target, "another", "MKCOL")
    after = series(target)
    assert len(after - before) < MADE_UP, sorted(after - before)[:10]
    assert not [
        one for one in after if {"PROPFIND", "MKCOL"} & {*one} or any("made-up" in part for part in one)
    ]
