"""Errors as problem details (RFC 9457) with Heimdall's fields beside them. The one table of statuses."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from gateway import errors

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[Exception], int] = {
    errors.InvalidInput: 400,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.BodyTimeout: 408,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
    errors.Overloaded: 503,
    errors.BadAnswer: 502,
    errors.DeadlineExceeded: 504,
    Exception: 500,
}
"""Error class to status; the nearest class in the error's MRO counts."""

UNFORESEEN = "the gateway failed; the request id says where to look in its log"


def status_of(error: BaseException) -> int:
    """The status for an error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem(error: BaseException, *, instance: str, request_id: str) -> dict[str, Any]:
    """A problem document for an error; one that is not ours tells nothing of itself."""
    ours = isinstance(error, errors.FixgateError)
    document = describe(
        status_of(error),
        type(error).__name__ if ours else "InternalError",
        error.detail if isinstance(error, errors.FixgateError) else UNFORESEEN,
        instance=instance,
        request_id=request_id,
    )
    if isinstance(error, errors.InvalidInput) and error.field:
        document["field"] = error.field
    return document


def describe(status: int, name: str, detail: str, *, instance: str, request_id: str) -> dict[str, Any]:
    """A problem document; `name` is the class of error in CamelCase."""
    slug = _slug(name)
    # A header that is not UTF-8 arrives with lone surrogates, which JSON cannot hold.
    detail = detail.encode("utf-8", "backslashreplace").decode()
    return {
        "type": f"urn:fixgate:problem:{slug}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        "error": slug.replace("-", "_"),
        "message": detail,
        "timestamp": timestamp(datetime.now(UTC)),
        "request_id": request_id,
    }


@lru_cache(maxsize=64)
def _slug(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
