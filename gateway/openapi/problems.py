"""The errors: one response for each status, with an example of each class of error that has it."""

from typing import Any

from gateway import errors
from gateway.openapi.examples import REQUEST_ID
from gateway.openapi.schema import ref
from gateway.wire.problem import MEDIA_TYPE, STATUS, describe, problem, status_of

EXAMPLES: dict[type[Exception], tuple[str, Exception]] = {
    errors.InvalidInput: (
        "/predict",
        errors.InvalidInput("this model takes 192000, got 48000", field="sample_rate_hz"),
    ),
    errors.TooLarge: (
        "/predict",
        errors.TooLarge("99,614,848 bytes; at most 67,108,864 are allowed", field="body"),
    ),
    errors.UnsupportedMedia: (
        "/predict",
        errors.UnsupportedMedia("must be one of gzip, deflate, zstd, got br", field="Content-Encoding"),
    ),
    errors.Unauthorized: ("/predict", errors.Unauthorized("an API key is needed")),
    errors.Forbidden: (
        "/models/localization/routing",
        errors.Forbidden("this key lacks the scope admin"),
    ),
    errors.NotFound: (
        "/models/localization/versions/9/predict",
        errors.NotFound('model "localization" has no version 9; served: 1, 2'),
    ),
    errors.BodyTimeout: (
        "/predict",
        errors.BodyTimeout("the body did not arrive before the request's deadline"),
    ),
    errors.Conflict: (
        "/models/localization/rollout",
        errors.Conflict("a rollout of version 4 is under way"),
    ),
    errors.PreconditionFailed: (
        "/models/localization/routing",
        errors.PreconditionFailed('If-Match names "7"; the weights in force are "9"'),
    ),
    errors.TooManyRequests: ("/predict", errors.TooManyRequests("more than 50 requests a second")),
    errors.Unavailable: (
        "/predict",
        errors.Unavailable("no catalogue yet: it is not known which models are served"),
    ),
    errors.Overloaded: (
        "/predict",
        errors.Overloaded(
            'an answer of model "localization" version 3 would take about 812 ms, and the latency objective '
            "leaves 400 ms"
        ),
    ),
    errors.BadAnswer: (
        "/predict",
        errors.BadAnswer("the model's latitude is 91.2; it must be from -90 to 90"),
    ),
    errors.DeadlineExceeded: (
        "/predict",
        errors.DeadlineExceeded("out of time in triton; spent: parse 2 ms, frontend 31 ms, triton 1967 ms"),
    ),
    Exception: ("/predict", RuntimeError()),
}
"""The path that was asked, and the error."""

_TOO_LARGE = "the request line or a header is over 8,190 bytes, or there are more than 128 headers"
BESIDE: tuple[dict[str, Any], ...] = tuple(
    describe(status, name, detail, instance=path, request_id=REQUEST_ID)
    for status, name, detail, path in (
        (400, "MalformedRequest", 'not HTTP as RFC 9112 has it: "Invalid header token:"', ""),
        (405, "MethodNotAllowed", "PUT is not allowed here; allowed: POST", "/predict"),
        (431, "HeadersTooLarge", _TOO_LARGE, ""),
    )
)
"""Errors that the HTTP server itself finds."""

ABOUT: dict[int, str] = {
    400: "Malformed, or a value that is not allowed: says which field, what was wrong, what is allowed.",
    401: "No key, or not a known one.",
    403: "The key lacks the scope.",
    404: "Unknown model, version, alias or prediction.",
    405: "The path does not take this method; `Allow` says which it takes.",
    408: "The body did not arrive in time.",
    409: "It exists already, or contradicts what does.",
    412: "`If-Match` names another state.",
    413: "The body, or what it decodes to, is too large.",
    415: "Unknown media type or content encoding.",
    429: "Over the key's rate.",
    431: "The request line or a header is too large.",
    500: "A fault of the gateway's own; no request is known that brings it about.",
    502: "The model gave an unusable answer: not finite, out of range, wrong shape.",
    503: "Overloaded, or not ready yet.",
    504: "Out of time: `detail` says where it went.",
}

RETRY_AFTER = {429, 503}


def responses() -> dict[str, Any]:
    """A component for each status, by its number."""
    found: dict[int, dict[str, Any]] = {}
    for kind in STATUS:
        path, error = EXAMPLES[kind]
        told = problem(error, instance=path, request_id=REQUEST_ID)
        found.setdefault(status_of(error), {})[told["error"]] = told
    for told in BESIDE:
        found.setdefault(told["status"], {}).setdefault(told["error"], told)
    return {str(status): _response(status, found[status]) for status in sorted(found)}


def _response(status: int, examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
    if status in RETRY_AFTER:
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if status == 405:
        headers["Allow"] = {"$ref": "#/components/headers/Allow"}
    shown = {
        name: {"value": {**told, "timestamp": "2026-01-01T00:00:00.000Z"}} for name, told in examples.items()
    }
    return {
        "description": ABOUT[status],
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": ref("Problem"), "examples": shown}},
    }
