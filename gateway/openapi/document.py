"""The OpenAPI 3.1 document, made once from plain data."""

from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec

from gateway.openapi import answers, bodies, control, kept, parameters, problems, rollout, served, watched
from gateway.openapi.operation import SECURITY
from gateway.openapi.paths import OPERATIONS, TAGS
from gateway.openapi.schema import Schema

_DESCRIPTION = """\
IQ recordings in, a position and its uncertainty ellipse out.

Every path answers under `/api/v1/inference` and `/api/v1/analytics` as well, and every GET also as HEAD. \
A body may be JSON, npy, raw samples or a SigMF archive, compressed with gzip, deflate or zstd.

Errors are `application/problem+json` (RFC 9457): they name the field, the value and what is allowed. Every \
answer carries `X-Request-Id`."""

_BESIDE: dict[str, Schema] = {
    "Text": {"type": "string"},
    "Document": {"type": "object", "description": "An OpenAPI 3.1 document."},
}
SCHEMAS: dict[str, Schema] = {
    **bodies.SCHEMAS,
    **answers.SCHEMAS,
    **served.SCHEMAS,
    **kept.SCHEMAS,
    **control.SCHEMAS,
    **rollout.SCHEMAS,
    **watched.SCHEMAS,
    **_BESIDE,
}


@cache
def document() -> dict[str, Any]:
    """The whole document; do not change it."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = operation.document()
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "fixgate",
            "version": version("fixgate"),
            "summary": "RF localisation models over HTTP.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {"url": "/", "description": "Canonical paths."},
            {"url": "/api/v1/inference", "description": "The same paths as Heimdall's clients ask for them."},
            {
                "url": "/api/v1/analytics",
                "description": "The same paths as Heimdall's dashboard asks for them.",
            },
        ],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "parameters": parameters.components(),
            "headers": parameters.headers(),
            "responses": problems.responses(),
            "securitySchemes": SECURITY,
        },
    }
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(described))
    return plain
