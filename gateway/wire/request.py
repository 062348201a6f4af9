"""A request's body, by its media type, to a frozen value: the one place where a client's bytes are read."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from gateway.domain import BatchRequest, Options, PredictRequest
from gateway.errors import InvalidInput, TooLarge, UnsupportedMedia
from gateway.wire import json_request, npy, options, raw, sigmf
from gateway.wire.limits import Limits
from gateway.wire.show import shown

JSON = "application/json"
NPY = "application/x-npy"
RAW = "application/octet-stream"
SIGMF = "application/x-sigmf"
MEDIA_TYPES = (JSON, NPY, RAW, SIGMF)
BATCH_MEDIA_TYPES = (JSON, NPY)

_RAW_NAMES = options.NAMES | raw.PARAMETERS

Query = Iterable[tuple[str, str]]


def parse_predict(content_type: str | None, query: Query, body: bytes, limits: Limits) -> PredictRequest:
    """Read a request for one fix.

    Args:
        content_type: the header as it came, or None.
        query: decoded names and values of the query string, in order.
        body: after content decoding.

    Raises:
        UnsupportedMedia: a media type that is not among `MEDIA_TYPES`.
        TooLarge: the body is over the limit.
        InvalidInput: anything else that is wrong; names the field, the value and what is allowed.
    """
    media_type = _media_type(content_type, MEDIA_TYPES)
    _check_length(body, limits)
    if media_type == JSON:
        _no_parameters(query)
        return json_request.predict(body, limits)
    if media_type == RAW:
        parameters, asked = _asked(tuple(query), _RAW_NAMES)
        return PredictRequest(raw.recording(body, parameters), asked)
    _, asked = _asked(tuple(query), options.NAMES)
    return sigmf.request(body, asked) if media_type == SIGMF else PredictRequest(npy.recording(body), asked)


def parse_batch(content_type: str | None, query: Query, body: bytes, limits: Limits) -> BatchRequest:
    """Read a request for several fixes; arguments and errors as for `parse_predict`."""
    media_type = _media_type(content_type, BATCH_MEDIA_TYPES)
    _check_length(body, limits)
    if media_type == JSON:
        _no_parameters(query)
        return json_request.batch(body, limits)
    parameters = options.parameters(query, options.NAMES | {"continue_on_error"})
    return npy.batch(body, options.from_query(parameters), _go_on(parameters), limits)


@lru_cache(maxsize=1024)
def _asked(query: tuple[tuple[str, str], ...], allowed: frozenset[str]) -> tuple[Mapping[str, str], Options]:
    """The query string's parameters and the options among them: most clients always send the same."""
    parameters = options.parameters(query, allowed)
    return MappingProxyType(parameters), options.from_query(parameters)


@lru_cache(maxsize=256)
def _media_type(content_type: str | None, allowed: tuple[str, ...]) -> str:
    media_type, *parameters = (part.strip() for part in (content_type or "").split(";"))
    media_type = media_type.lower()
    if media_type not in allowed:
        got = shown(media_type) if media_type else "none"
        where = " for a batch" if media_type in MEDIA_TYPES else ""
        raise UnsupportedMedia(f"must be one of {', '.join(allowed)}{where}, got {got}", field="Content-Type")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(' "').lower() not in (
            "utf-8",
            "utf8",
            "us-ascii",
        ):
            raise UnsupportedMedia(f"charset must be utf-8, got {shown(value)}", field="Content-Type")
    return media_type


def _check_length(body: bytes, limits: Limits) -> None:
    if len(body) > limits.body_bytes:
        raise TooLarge(f"{len(body):,} bytes; at most {limits.body_bytes:,} are allowed", field="body")
    if not body:
        raise InvalidInput("is empty", field="body")


def _no_parameters(query: Query) -> None:
    for name, _ in query:
        raise InvalidInput(
            f"unknown query parameter {shown(name)}; a JSON request has its options in the body"
        )


def _go_on(parameters: Mapping[str, str]) -> bool:
    given = parameters.get("continue_on_error", "true")
    return options.flag_from_text(given, "continue_on_error")
