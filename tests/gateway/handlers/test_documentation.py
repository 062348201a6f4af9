"""GET /openapi.json and /docs over real HTTP; and real answers held to the document."""

import asyncio
import io
import json
import re
from typing import Any

import pytest

from gateway.config import Config
from gateway.openapi.document import document
from tests.gateway import stand
from tests.gateway.conftest import ECHO, IQ, MEL, Gateway
from tests.gateway.openapi.answers import Answers

ANSWERS = Answers(document())
RECORDING = stand.npy(stand.iq(1))
NPY = {"Content-Type": "application/x-npy"}
GEOJSON = {"Accept": "application/geo+json"}
ROW = [45.0, 9.0, 100.0, 200.0, 0.5]


@pytest.mark.parametrize("prefix", ["", "/api/v1/inference"])
async def test_the_document_is_served(gateway: Gateway, prefix: str) -> None:
    async with gateway.client.get(f"{prefix}/openapi.json") as response:
        assert response.content_type == "application/json"
        assert await response.json() == document()


async def test_the_page_needs_nothing_but_itself_and_allows_no_script(gateway: Gateway) -> None:
    async with gateway.client.get("/docs") as response:
        page = await response.text()
        policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "<script" not in page
    assert re.findall(r'(?:src|href|action)="(?!#|data:|openapi\.json")[^"]*"|url\(|@import', page) == []
    for path in document()["paths"]:
        assert re.sub(r"({\w+})", r"<i>\1</i>", path) in page


LIMIT = Config().max_body_bytes
ECHO_PREDICT = f"/models/{ECHO}/predict"


@pytest.mark.parametrize(
    ("template", "path", "request_", "status"),
    [
        ("/predict", "/predict", {"data": RECORDING, "headers": NPY}, 200),
        ("/predict", "/predict?geojson=true", {"data": RECORDING, "headers": NPY}, 200),
        ("/predict", "/predict", {"data": RECORDING, "headers": NPY | GEOJSON}, 200),
        ("/predict", "/predict?confidence_level=2", {"data": RECORDING, "headers": NPY}, 400),
        ("/predict", "/predict", {"data": RECORDING, "headers": {"Content-Type": "text/plain"}}, 415),
        ("/predict", "/predict", {"data": io.BytesIO(bytes(LIMIT + 1)), "headers": NPY}, 413),
        ("/models/{model}/predict", "/models/no/predict", {"data": b"x"}, 404),
        ("/models/{model}/predict", ECHO_PREDICT, {"json": {"features": [91.0, *ROW[1:]]}}, 502),
        (
            "/models/{model}/versions/{version}/predict",
            f"/models/{ECHO}/versions/1/predict",
            {"json": {"features": [10.0, 180.0, 1e9, 1e9, 0.1], "geojson": True}},
            200,
        ),
        (
            "/models/{model}/predict/batch",
            f"/models/{ECHO}/predict/batch",
            {"json": {"samples": [{"features": ROW, "sample_id": "a"}, {"features": [1]}, 7]}},
            200,
        ),
        ("/predict/batch", "/predict/batch", {"json": {"samples": []}}, 400),
        ("/predict/batch", "/predict/batch", {"data": RECORDING, "headers": NPY}, 400),
    ],
)
async def test_answers_to_recordings_are_as_documented(
    gateway: Gateway, template: str, path: str, request_: dict[str, Any], status: int
) -> None:
    async with gateway.client.post(path, **request_) as response:
        answer = await response.json(content_type=None)
        assert response.status == status, answer
        ANSWERS.check_answer("POST", template, status, response.content_type, answer)


GETS = {
    "/models": "/models",
    "/models/{model}": f"/models/{MEL}",
    "/models/{model}/versions/{version}": f"/models/{IQ}/versions/1",
}
ENDLESS = {"/events"}
"""Tested with the console's handlers (test_console.py)."""


async def test_every_get_without_parameters_answers_as_documented(gateway: Gateway) -> None:
    async with gateway.client.post("/predict", data=RECORDING, headers=NPY) as response:
        assert response.status == 200
    for path, methods in document()["paths"].items():
        if "get" not in methods or path in ENDLESS or ("{" in path and path not in GETS):
            continue
        async with gateway.client.get(GETS.get(path, path)) as response:
            text = response.content_type in ("text/html", "text/plain")
            answer = await response.text() if text else await response.json(content_type=None)
            ANSWERS.check_answer("GET", path, response.status, response.content_type, answer)


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n", 400, "malformed_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "malformed_request"),
    ],
    ids=["line", "header", "many", "name", "tls"],
)
async def test_broken_http_is_a_problem_too(gateway: Gateway, sent: bytes, status: int, error: str) -> None:
    host, port = gateway.runner.addresses[0][:2]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(sent)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(f"HTTP/1.0 {status} ".encode())
    problem = json.loads(body)
    assert (problem["status"], problem["error"]) == (status, error)
    assert f"X-Request-Id: {problem['request_id']}".encode() in head
    ANSWERS.check_answer("GET", "/", status, "application/problem+json", problem)
