"""Traces, against a receiver of OTLP over HTTP."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import grpc
import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway.config import Config
from gateway.domain import Lane
from gateway.telemetry import traceparent
from gateway.telemetry.stopwatch import Stopwatch
from gateway.telemetry.tracing import make_tracing
from gateway.triton.call import Failure
from gateway.triton.over_grpc import Channel
from gateway.triton.over_http import Http
from tests.gateway import stand
from tests.gateway.conftest import ECHO, MEL, StartGateway, changed
from tests.gateway.triton.holding_triton import holding_triton
from tests.gateway.triton.http_triton import http_triton

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
STAGES = ["read", "parse", "cache", "frontend", "queue", "triton", "render"]
NOT_SAMPLED = f"00-{TRACE}-{SPAN}-00"


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, ExportTraceServiceRequest]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[Any]:
        return [
            span
            for _, request in self.received
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        assert isinstance(self.server, Receiver)
        self.server.received.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


async def test_a_request_is_a_span_with_its_stages_in_the_clients_trace(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    start_gateway: StartGateway,
    config: Config,
    models: dict[str, stand.Model],
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    stand.announce(config.redis_url, stand.catalogue(stand.served_model(models[MEL].served(), name=MEL)))
    gateway = await start_gateway(config)
    await gateway.ready()
    body = stand.npy(stand.iq(7))
    headers = {"Content-Type": "application/x-npy", "traceparent": PARENT}
    async with gateway.client.post("/predict", data=body, headers=headers) as answer:
        assert answer.status == 200
        request_id, version = answer.headers["X-Request-Id"], answer.headers["X-Model-Version"]
    not_sampled = {**headers, "traceparent": NOT_SAMPLED}
    async with gateway.client.post("/predict", data=body, headers=not_sampled) as answer:
        assert answer.status == 200
    tracing = gateway.services.tracing
    assert tracing is not None
    await tracing.close()  # sends what is left

    assert {path for path, _ in receiver.received} == {"/v1/traces"}
    (resource,) = receiver.received[0][1].resource_spans
    told = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert (told["service.name"], told["deployment.environment"]) == ("fixgate-gateway", "test")
    ours = [span for span in receiver.spans() if span.trace_id.hex() == TRACE]
    (root,) = [span for span in ours if span.name == "POST /predict"]
    assert root.parent_span_id.hex() == SPAN
    attributes = {one.key: one.value for one in root.attributes}
    assert attributes["fixgate.request_id"].string_value == request_id
    assert attributes["fixgate.model"].string_value == MEL
    assert attributes["fixgate.version"].string_value == version
    assert attributes["http.response.status_code"].int_value == 200
    stages = sorted((span for span in ours if span is not root), key=lambda span: span.start_time_unix_nano)
    assert [span.name for span in stages] == STAGES
    assert {span.parent_span_id for span in stages} == {root.span_id}
    for before, after in pairwise(stages):
        assert before.end_time_unix_nano == after.start_time_unix_nano


@pytest.mark.parametrize("over", ["grpc", "http"])
async def test_the_call_to_triton_is_told_of_its_requests_span(
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    start_gateway: StartGateway,
    alone: Config,
    over: str,
) -> None:
    """And one whose request is not traced is told nothing, though another's was just before it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    async with holding_triton() as triton, http_triton() as http:
        triton.release.set()
        listener = (http.address,) if over == "http" else ()
        gateway = await start_gateway(changed(alone, triton_grpc=(triton.address,), triton_http=listener))
        await gateway.ready()
        for latitude, parent in enumerate((PARENT, NOT_SAMPLED)):
            row = {"features": [latitude, 9, 100, 200, 0.5]}
            path, headers = f"/models/{ECHO}/predict", {"traceparent": parent}
            async with gateway.client.post(path, json=row, headers=headers) as answer:
                assert answer.status == 200
        tracing = gateway.services.tracing
        assert tracing is not None
        await tracing.close()  # sends what is left

    (root,) = [span for span in receiver.spans() if span.parent_span_id.hex() == SPAN]
    assert root.trace_id.hex() == TRACE
    told = {"grpc": triton.traceparents, "http": http.traceparents}
    assert told.pop(over) == [f"00-{TRACE}-{root.span_id.hex()}-01", ""]
    assert list(told.values()) == [[]]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_a_collector_there_is_no_tracing(environment: dict[str, str]) -> None:
    assert make_tracing(environment) is None


async def test_what_the_sampler_leaves_out_has_a_plain_stopwatch(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.url}/v1/traces")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    tracing = make_tracing()
    assert tracing is not None
    watch = tracing.begin("GET", {})
    assert type(watch) is Stopwatch
    tracing.end(watch, "id", "GET", "/ready", 200)
    await tracing.close()
    assert receiver.spans() == []


@pytest.mark.parametrize("current", ["", PARENT])
async def test_a_call_to_triton_carries_the_trace_over_http(current: str) -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        http = Http(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with _current(current), contextlib.suppress(Failure):
            await http.with_rows(LANE, [ROW])
        http.close()
    assert (f"\r\ntraceparent: {PARENT}\r\n".encode() in heads[0]) is bool(current)
    assert heads[0].startswith(b"POST /v2/models/m/versions/1/infer HTTP/1.1\r\n")


@pytest.mark.parametrize("current", ["", PARENT])
async def test_a_call_to_triton_carries_the_trace_over_grpc(current: str) -> None:
    seen: list[dict[str, Any]] = []

    class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> None:
            seen.append(dict(details.invocation_metadata))

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    client = Channel(f"127.0.0.1:{port}")
    with _current(current), contextlib.suppress(Failure):
        await client.with_rows(LANE, [ROW])
    await client.close()
    await server.stop(None)
    assert seen[0].get("traceparent", "") == current


@contextlib.contextmanager
def _current(value: str) -> Iterator[None]:
    token = traceparent.CURRENT.set(value)
    try:
        yield
    finally:
        traceparent.CURRENT.reset(token)


LANE = Lane("m", 1, "x", (2,), stand.mel_model("m", 1).contract.output)
ROW = np.zeros(2, np.float32)
