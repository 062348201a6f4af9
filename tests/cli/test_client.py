"""The gateway's client: what it sends, whom it believes, how long it waits."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cli.client import NPY, GatewayClient, GatewayError, Refusal, Unreachable, model_path
from tests.launch import free_ports

Answer = tuple[int, dict[str, str], bytes]
BUSY: Answer = (503, {"Retry-After": "0"}, b'{"detail": "too much to do"}')
GOOD: Answer = (200, {}, b'{"ok": true}')


@contextlib.contextmanager
def server(*answers: Answer) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that gives these answers in turn, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(
                {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
            )
            status, headers, content = answers[min(len(asked), len(answers)) - 1]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 the server's own names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}", asked
        finally:
            running.shutdown()
            thread.join()


def test_a_body_goes_out_with_its_type_its_query_and_the_key() -> None:
    with server(GOOD) as (url, asked):
        answer = GatewayClient(url + "/", key="secret").post("/predict", b"\x93NUMPY", NPY, {"a": "b c"})
    assert answer == {"ok": True}
    (request,) = asked
    assert request["path"] == "/predict?a=b+c"
    assert request["body"] == b"\x93NUMPY"
    assert request["headers"]["Content-Type"] == NPY
    assert request["headers"]["Authorization"] == "Bearer secret"


def test_a_busy_gateway_is_asked_again() -> None:
    with server(BUSY, (429, {"Retry-After": "0"}, b""), GOOD) as (url, asked):
        assert GatewayClient(url).get("/models") == {"ok": True}
    assert len(asked) == 3


def test_patience_ends() -> None:
    with server(BUSY) as (url, asked), pytest.raises(Refusal, match=r"too much to do \(503\)"):
        GatewayClient(url, patience_s=0.0).get("/models")
    assert len(asked) >= 1


@pytest.mark.parametrize("retry_after", ["60", "Wed, 21 Oct 2026 07:28:00 GMT", "-5"])
def test_a_wait_that_is_too_long_is_not_begun(retry_after: str) -> None:
    busy = (503, {"Retry-After": retry_after}, b'{"detail": "later"}')
    with server(busy) as (url, asked), pytest.raises(Refusal, match="later"):
        GatewayClient(url, patience_s=-1.0).get("/models")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, {}, b'{"detail": "model: unknown"}'), "model: unknown (404)"),
        ((502, {}, b"<html>bad\n gateway</html>"), "<html>bad gateway</html> (502)"),
        ((400, {}, b""), "Bad Request (400)"),
        ((400, {}, b"[1]"), "[1] (400)"),
    ],
)
def test_a_refusal_says_what_the_gateway_said(answer: Answer, words: str) -> None:
    with server(answer) as (url, _), pytest.raises(Refusal) as raised:
        GatewayClient(url).get("/")
    assert str(raised.value) == words
    assert raised.value.status == answer[0]


def test_where_nothing_listens_no_gateway_answers() -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(Unreachable, match=f"no gateway answers at {url}.*refused"):
        GatewayClient(url).get("/")


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_a_key_that_cannot_be_one_is_not_sent(key: str) -> None:
    with pytest.raises(GatewayError, match="the API key holds a character"):
        GatewayClient("http://127.0.0.1:1", key=key).get("/models")


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp//x", "http://", "http://[::1"])
def test_what_is_no_url_is_no_gateway(url: str) -> None:
    with pytest.raises(Unreachable, match="no gateway answers"):
        GatewayClient(url).get("/")


def test_an_answer_that_is_no_json_is_no_gateway() -> None:
    with server((200, {}, b"<html>")) as (url, _), pytest.raises(Unreachable):
        GatewayClient(url).get("/")


def test_paths_name_model_version_and_alias() -> None:
    assert model_path(None) == ""
    assert model_path("a/b c") == "/models/a%2Fb%20c"
    assert model_path("m", version="3") == "/models/m/versions/3"
    assert model_path("m", alias="shadow") == "/models/m/aliases/shadow"


def test_a_change_goes_out_with_its_method_and_its_condition() -> None:
    with server(GOOD) as (url, asked):
        client = GatewayClient(url)
        assert client.change("PUT", "/x", {"a": 1}, {"If-Match": '"e"'}) == {"ok": True}
        client.change("DELETE", "/x")
    put, delete = asked
    assert (put["method"], put["body"]) == ("PUT", b'{"a": 1}')
    assert (put["headers"]["Content-Type"], put["headers"]["If-Match"]) == ("application/json", '"e"')
    assert (delete["method"], delete["body"]) == ("DELETE", b"")
