"""POST …/predict and …/predict/batch."""

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson
from aiohttp import web

from contract.catalog import ServedModel
from gateway.admission import ByteShare
from gateway.deadline import within
from gateway.errors import FixgateError
from gateway.handlers import request as read
from gateway.keys import REQUEST_ID, SERVICES, WATCH
from gateway.prediction import Prediction
from gateway.priority import Priority
from gateway.services import Services
from gateway.serving.answer import Answer
from gateway.telemetry.stopwatch import Stopwatch
from gateway.versions.routing import Pin
from gateway.wire import geojson
from gateway.wire.content_encoding import decode
from gateway.wire.identifier import uuid7
from gateway.wire.limits import Limits
from gateway.wire.problem import problem
from gateway.wire.request import JSON, Query, parse_batch, parse_predict
from gateway.wire.response import batch_document, failed_item, prediction_document, prediction_json

T = TypeVar("T")
Parse = Callable[[str | None, Query, bytes, Limits], T]

OFF_LOOP_JSON, OFF_LOOP_BYTES = 256 << 10, 512 << 10
"""Larger bodies are parsed in a thread: JSON, which takes longer, and the binary forms."""

BYPASS = ("cache_enabled", "false")
"""In the query of a body that is no JSON: its fix is not looked up."""

LARGE = 64 << 10
"""A body over so many bytes waits for its turn on the event loop."""


class _Target(NamedTuple):
    """What is known of a request before its body; `until` is on the event loop's clock."""

    model: ServedModel
    pin: Pin | None
    until: float
    priority: Priority


async def predict(request: web.Request) -> web.Response:
    """One recording to one fix."""
    services, watch = request.app[SERVICES], request[WATCH]
    config = services.config
    until = read.deadline(request, config.predict_timeout_ms, config.max_timeout_ms)
    name, pin = read.target(request)
    model = services.predictor.model(name, pin)
    watch.model = model.name
    target = _Target(model, pin, until, Priority.INTERACTIVE)
    with services.counters.request(model.name), services.memory.share() as share:
        asked = await _parsed(services, request, parse_predict, target, share)
        share.grow(asked.recording.nbytes)
        hurried = _hurried(request, config.predict_timeout_ms)
        prediction = await services.predictor.predict(model, pin, asked, until, watch, hurried=hurried)
    if _wants_geojson(request):
        collection = geojson.feature_collection([prediction])
        return _answer(services, watch, orjson.dumps(collection), geojson.MEDIA_TYPE, [prediction])
    document = orjson.dumps(_document(prediction)) if asked.options.geojson else prediction_json(prediction)
    return _answer(services, watch, document, JSON, [prediction])


async def predict_batch(request: web.Request) -> web.Response:
    """1 to 100 recordings, each to its fix or its error, in order."""
    services, watch = request.app[SERVICES], request[WATCH]
    config = services.config
    until = read.deadline(request, config.batch_timeout_ms, config.max_timeout_ms)
    name, pin = read.target(request)
    model = services.predictor.model(name, pin)
    watch.model = model.name
    target = _Target(model, pin, until, Priority.BATCH)
    with services.counters.request(model.name), services.memory.share() as share:
        batch = await _parsed(services, request, parse_batch, target, share)
        share.grow(batch.nbytes)
        hurried = _hurried(request, config.batch_timeout_ms)
        answers = await services.predictor.predict_batch(model, pin, batch, until, watch, hurried=hurried)
    good = [one for one in answers if isinstance(one, Prediction)]
    if _wants_geojson(request):
        collection = geojson.feature_collection(good)
        return _answer(services, watch, orjson.dumps(collection), geojson.MEDIA_TYPE, good)
    items = [_item(request, batch.sample_id(place), one) for place, one in enumerate(answers)]
    document = batch_document(uuid7(), items, good, watch.elapsed_ms)
    return _answer(services, watch, orjson.dumps(document), JSON, good)


def _hurried(request: web.Request, usual_ms: int) -> bool:
    """Whether the client gives less time than a request of its kind has; the header is known to be right."""
    headers = request.headers
    return read.TIMEOUT_HEADER in headers and int(headers[read.TIMEOUT_HEADER]) < usual_ms


async def _parsed(
    services: Services, request: web.Request, parse: Parse[T], target: _Target, share: ByteShare
) -> T:
    """The body read, decoded and parsed; in a thread when that takes long, so that it holds up nobody else.

    Whoever would be refused for lack of time after that is refused before, unless the fix may be cached. A
    large body is looked at for the sake of a cached fix only if there is time to do so.
    """
    watch, encoding = request[WATCH], request.headers.get("Content-Encoding")
    content_type, query = request.headers.get("Content-Type"), read.query(request)
    length, is_json = request.content_length, (content_type or "").startswith(JSON)
    most = OFF_LOOP_JSON if is_json else OFF_LOOP_BYTES
    size = math.inf if encoding is not None or length is None else length  # who knows what it will be
    if size > most or services.admission.refusing:
        cached = BYPASS not in query
        services.predictor.admit(target.model, target.pin, target.priority, target.until, cached=cached)
    if size > most:
        _admit_to_threads(services, target)
    elif size > LARGE:
        _admit(services, target, services.turns.wait_s)
    body = await read.body(request, length, target.until, services.config.max_body_bytes, share)
    watch.enter("parse")
    watch.received = len(body)

    if encoding is None and len(body) <= most:
        if len(body) > LARGE:
            await within(target.until, watch, services.turns.turn())
        return parse(content_type, query, body, services.limits)

    def read_body() -> T:
        decoded = decode(encoding, body, services.limits.body_bytes)
        return parse(content_type, query, decoded, services.limits)

    _admit_to_threads(services, target)
    kind = "json" if is_json else "binary"
    if encoding is not None:
        kind = "compressed"
    parsing = services.signal.run(f"parse {kind}", len(body), read_body, share)
    parsed = await within(target.until, watch, parsing)
    await within(target.until, watch, services.turns.turn())
    return parsed


def _admit_to_threads(services: Services, target: _Target) -> None:
    _admit(services, target, services.signal.wait_s + services.turns.wait_s)


def _admit(services: Services, target: _Target, wait_s: float) -> None:
    left_s = target.until - asyncio.get_running_loop().time()
    # Nothing is left to chance after that if the fix is cached; if it is not, its row is checked again.
    services.admission.check(wait_s, left_s, "parsing the body", target.priority, share=1.0, last=False)


def _document(prediction: Prediction) -> dict[str, Any]:
    document = prediction_document(prediction)
    if prediction.options.geojson:
        document["geojson"] = geojson.feature_collection([prediction])
    return document


def _wants_geojson(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "").lower()
    if geojson.MEDIA_TYPE not in accepted:
        return False
    ranges = [[part.strip() for part in one.split(";")] for one in accepted.split(",")]
    unwanted = {"q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000"}  # all ways to write it (RFC 9110, 12.4.2)
    return any(kind == geojson.MEDIA_TYPE and unwanted.isdisjoint(parameters) for kind, *parameters in ranges)


def _item(request: web.Request, sample_id: str, answer: Prediction | FixgateError) -> dict[str, Any]:
    if isinstance(answer, Prediction):
        return _document(answer)
    told = problem(answer, instance=request.rel_url.raw_path, request_id=request[REQUEST_ID])
    return failed_item(sample_id, told)


def _answer(
    services: Services, watch: Stopwatch, body: bytes, media_type: str, predictions: Sequence[Prediction]
) -> web.Response:
    stages = watch.told = watch.stages_ms()
    if services.live is not None:
        services.live.put(predictions, stages)
    headers = {"Server-Timing": ", ".join([f"{stage};dur={ms:.3f}" for stage, ms in stages.items()])}
    if predictions:
        first = predictions[0]
        same = len(predictions) == 1 or len({one.cache for one in predictions}) == 1
        watch.cache = headers["X-Cache"] = first.cache if same else "mixed"
        watch.version = headers["X-Model-Version"] = str(first.version)
        if first.fallback_from is not None:
            headers["X-Fallback-From"] = str(first.fallback_from)
    return Answer(body=body, headers=headers, content_type=media_type)
