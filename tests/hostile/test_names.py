"""Hostile names and ids: nothing that a client chooses gets into a path, a header or the log as it is."""

import json
import re

import pytest

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


@pytest.mark.parametrize("pin", ["../../x", "1;DROP", "\x1b[31m", "é", "9" * 5000])
def test_a_hostile_pin_is_a_4xx(target: Target, pin: str) -> None:
    head = f"Content-Type: application/json\r\nX-Model-Version: {pin}\r\n"
    assert refused(target.post(b"{}", head))


@pytest.mark.parametrize(
    "given",
    [
        "\x1b[2Jforged",
        "a b\tc",
        "é" * 50,
        "x" * 5000,
        "${jndi:ldap://x}",
        "<script>",
        "a\x7fb",
        "'; --",
        "%0d%0aX: y",
    ],
)
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
