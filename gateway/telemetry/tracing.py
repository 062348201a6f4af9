"""Traces: a span for each request and one for each of its stages, sent to an OpenTelemetry collector.

The only importer of opentelemetry, and only when its own variables ask for it: without an endpoint for OTLP
nothing is imported, and requests carry a plain stopwatch.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from gateway.telemetry.stopwatch import Stopwatch

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

log = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


class TracedStopwatch(Stopwatch):
    """Remembers when each stage began, in Unix nanoseconds."""

    __slots__ = ("entered", "span")

    def __init__(self, span: "Span") -> None:
        super().__init__()
        self.span = span
        self.entered = [("read", time.time_ns())]
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def enter(self, stage: str) -> None:
        """The stage before ends here and `stage` begins."""
        if stage != self.stage:
            self.entered.append((stage, time.time_ns()))
        super().enter(stage)


class Tracing:
    """Makes spans with a provider of ours."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 an extra
            TraceContextTextMapPropagator,
        )

        self._provider = provider
        self._tracer = provider.get_tracer("fixgate.gateway")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, method: str, headers: Mapping[str, str]) -> Stopwatch:
        """A request arrived: its stopwatch, a traced one if the sampler takes it."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        span = self._tracer.start_span(method, self._propagator.extract(carrier), SpanKind.SERVER)
        return TracedStopwatch(span) if span.is_recording() else Stopwatch()

    def end(self, watch: Stopwatch, request_id: str, method: str, route: str, status: int) -> None:
        """A request ended: its span, and those of its stages."""
        if not isinstance(watch, TracedStopwatch):
            return
        from opentelemetry.trace import Status, StatusCode, set_span_in_context  # noqa: PLC0415

        span, ended = watch.span, time.time_ns()
        span.update_name(f"{method} {route}")
        span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "fixgate.request_id": request_id,
                "fixgate.outcome": watch.outcome,
                "fixgate.model": watch.model,
                "fixgate.version": watch.version,
                "fixgate.cache": watch.cache,
            }
        )
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR, watch.outcome))
        inside = set_span_in_context(span)
        for (stage, began), (_, until) in pairwise([*watch.entered, ("", ended)]):
            self._tracer.start_span(stage, inside, start_time=began).end(until)
        span.end(ended)

    async def close(self) -> None:
        """Send what is left."""
        await asyncio.to_thread(self._provider.shutdown)


@contextlib.asynccontextmanager
async def running_tracing() -> AsyncIterator[Tracing | None]:
    """Tracing, if it is asked for; what is left is sent at the end."""
    tracing = make_tracing()
    yield tracing
    if tracing is not None:
        await tracing.close()


def make_tracing(environment: Mapping[str, str] = os.environ) -> Tracing | None:
    """Tracing as OpenTelemetry's variables ask for it (the SDK reads the rest of them itself), or None."""
    wanted = any(environment.get(name) for name in ENDPOINTS)
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if not wanted or off or environment.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        log.warning("no traces, though %s is set: pip install 'fixgate[otel]'", " or ".join(ENDPOINTS))
        return None
    named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    resource = Resource.create({} if named else {"service.name": "fixgate-gateway"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
