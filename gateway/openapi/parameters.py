"""Parameters in paths, headers and query strings, and the headers of answers."""

import re
from typing import Any

from gateway.openapi.fields import CONTINUE_ON_ERROR, OPTIONS, RAW
from gateway.openapi.schema import Schema, integer, string
from gateway.wire.content_encoding import CODINGS

IN_PATH: dict[str, Schema] = {
    "model": string("A model's name.", minLength=1),
    "version": string("A version, as MLflow numbers it.", pattern="^[0-9]{1,18}$"),
    "alias": string("An alias, for example `champion`.", minLength=1),
    "file": string("One of the page's files.", minLength=1),
    "name": string("A recording's name, for example `00.npy`.", minLength=1),
}

IN_HEADER: dict[str, Schema] = {
    "X-Model-Version": string("Pins a version by number or alias; must agree with a path that pins one."),
    "X-Request-Timeout-Ms": integer(
        "Time for this request; 504 when it is over. The operator may have set another limit.",
        unit="ms",
        minimum=1,
        maximum=60_000,
    ),
    "X-Request-Id": string(
        "Comes back in the answer and stands in the log; another one is made when it does not match.",
        pattern="^[A-Za-z0-9._~:+/=-]{1,128}$",
    ),
    "Content-Encoding": string(
        "How the body is compressed. Size limits count decoded bytes.", enum=["identity", *CODINGS]
    ),
}
IN_HEADER_OF_FEED: dict[str, Schema] = {
    "Last-Event-ID": string("Go on after this event.", pattern="^[0-9]{1,18}-[0-9]{1,18}$"),
}
IN_HEADER_OF_CHANGE: dict[str, Schema] = {
    "If-Match": string(
        "Only change what is still so: the ETag of an answer; else 412.", pattern='^(\\*|"[0-9A-Za-z]+")$'
    ),
}

IN_QUERY: dict[str, Schema] = {
    **RAW,
    **OPTIONS,
    "continue_on_error": CONTINUE_ON_ERROR,
    "limit": integer("How many at most.", minimum=1, maximum=1000),
    "window_s": integer(
        "Of so long what became of each version's traffic is told.",
        unit="s",
        minimum=10,
        maximum=604_800,
        default=3600,
    ),
}
PREDICT_QUERY = (*RAW, *OPTIONS)
BATCH_QUERY = (*OPTIONS, "continue_on_error")

ANSWER_HEADERS: dict[str, Schema] = {
    "X-Request-Id": string("The request's id, or one that was made for it."),
    "X-Model-Version": string("The version that answered.", pattern="^[0-9]+$"),
    "X-Fallback-From": string(
        "The version whose turn it was, when it was not available and another answered.", pattern="^[0-9]+$"
    ),
    "X-Cache": string(
        "Where the fix came from. coalesced: computed for an identical request at the same time; mixed: a "
        "batch with several.",
        enum=["hit", "miss", "coalesced", "bypass", "mixed"],
    ),
    "Server-Timing": string("Milliseconds spent in each stage: `parse;dur=0.412, cache;dur=0.021, …`."),
    "Retry-After": integer("When to come back.", unit="s", minimum=1),
    "ETag": string("Names the state that the answer is about; for `If-Match`."),
    "Allow": string("The methods that this path takes."),
}

Reference = dict[str, str]


def components() -> dict[str, Any]:
    """Every parameter as a component, named after its place and name."""
    path = {f"path.{name}": _parameter(name, "path", schema) for name, schema in IN_PATH.items()}
    in_header = {**IN_HEADER, **IN_HEADER_OF_FEED, **IN_HEADER_OF_CHANGE}
    header = {f"header.{name}": _parameter(name, "header", schema) for name, schema in in_header.items()}
    query = {f"query.{name}": _query(name, schema) for name, schema in IN_QUERY.items()}
    return {**path, **header, **query}


def headers() -> dict[str, Any]:
    """Every header of an answer as a component."""
    return {name: _described(schema) for name, schema in ANSWER_HEADERS.items()}


def of_path(path: str) -> list[Reference]:
    """References to the parameters in a path's braces."""
    return [reference("path", name) for name in re.findall(r"{(\w+)}", path)]


def reference(place: str, name: str) -> Reference:
    """A reference to one of `components`."""
    return {"$ref": f"#/components/parameters/{place}.{name}"}


def header_references(*names: str) -> dict[str, Reference]:
    """References to headers of an answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _parameter(name: str, place: str, schema: Schema) -> dict[str, Any]:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, **required, **_described(schema)}


def _query(name: str, schema: Schema) -> dict[str, Any]:
    parameter = _parameter(name, "query", schema)
    if schema["type"] == "array":
        parameter |= {"style": "form", "explode": False}
    return parameter


def _described(schema: Schema) -> dict[str, Any]:
    rest = {name: value for name, value in schema.items() if name != "description"}
    return {"description": schema["description"], "schema": rest}
