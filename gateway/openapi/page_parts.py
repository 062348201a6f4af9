"""The parts of the page: an operation, an error, a schema."""

import re
from collections.abc import Collection
from html import escape
from typing import Any

from gateway.openapi.pretty import pretty
from gateway.openapi.schema import Schema
from gateway.openapi.type_text import type_of

Part = dict[str, Any]


def text(plain: str) -> str:
    """Paragraphs; `code` between backticks."""
    return "".join(f"<p>{_inline(one)}</p>" for one in plain.split("\n\n"))


def operation(path: str, method: str, described: Part, components: Part) -> str:
    """One method on one path, folded."""
    parameters = [_resolved(one, components) for one in described["parameters"]]
    body = described.get("requestBody", {}).get("content", {})
    parts = [
        text(described.get("description", "")) if described.get("description") else "",
        _parameters(parameters),
        "<h3>Request body</h3>" + "".join(_media_type(name, one) for name, one in body.items())
        if body
        else "",
        "<h3>Answers</h3>" + _answers(described["responses"]),
    ]
    shown = re.sub(r"{\w+}", lambda found: f"<i>{found[0]}</i>", escape(path))
    return (
        f'<details class="card" id="{escape(described["operationId"])}"><summary>'
        f'<span class="method {method}">{method.upper()}</span><span class="path">{shown}</span>'
        f'<span class="about">{_inline(described["summary"])}</span></summary>'
        f"<div>{''.join(parts)}</div></details>"
    )


def error(status: str, response: Part) -> str:
    """One status with its examples, folded."""
    examples = next(iter(response["content"].values()))["examples"]
    shown = "".join(
        f"<h4><code>{escape(name)}</code></h4>{_json(one['value'])}" for name, one in examples.items()
    )
    headers = [name for name in response["headers"] if name != "X-Request-Id"]
    told = f"<p>With the header {', '.join(f'<code>{escape(one)}</code>' for one in headers)}.</p>"
    return (
        f'<details class="card" id="error-{status}"><summary><span class="status bad">{status}</span>'
        f'<span class="about">{_inline(response["description"])}</span></summary>'
        f"<div>{told if headers else ''}{shown}</div></details>"
    )


def schema(name: str, described: Schema) -> str:
    """One schema with its fields, folded."""
    kind = "" if "properties" in described else f"<p>{type_of(described)}</p>"
    return (
        f'<details class="card" id="schema-{escape(name)}"><summary><span class="path">{escape(name)}</span>'
        f'<span class="about">{_inline(described.get("description", ""))}</span></summary>'
        f"<div>{kind}{_fields(described)}</div></details>"
    )


def _parameters(parameters: list[Part]) -> str:
    shown = []
    for place, title in (("path", "In the path"), ("query", "Query string"), ("header", "Headers")):
        listed = [one for one in parameters if one["in"] == place]
        fields = {one["name"]: {**one["schema"], "description": one["description"]} for one in listed}
        required = [one["name"] for one in listed if one.get("required")]
        if fields:
            shown.append(f"<h3>{title}</h3>{_list(fields, dict.fromkeys(required, 'required'))}")
    return "".join(shown)


def _media_type(name: str, content: Part) -> str:
    described = content.get("schema", {})
    about = f"<p>{_inline(described['description'])}</p>" if "description" in described else ""
    kind = f"<p>{type_of(described)}</p>" if "$ref" in described else ""
    return f"<h4><code>{escape(name)}</code></h4>{about}{kind}{_examples(content)}"


def _examples(content: Part) -> str:
    named = content.get("examples", {})
    if "example" in content:
        named = {"": {"summary": "Example", "value": content["example"]}}
    return "".join(
        f'<details class="fold"><summary>{escape(one["summary"])}</summary>{_json(one["value"])}</details>'
        for one in named.values()
    )


def _answers(responses: Part) -> str:
    good = "".join(
        f'<h4><span class="status {"good" if status < "400" else "bad"}">{status}</span> '
        f"{_inline(one['description'])}</h4>"
        f"{''.join(_media_type(name, content) for name, content in one['content'].items())}"
        for status, one in responses.items()
        if "$ref" not in one
    )
    problems = "".join(
        f'<li><a class="status bad" href="#error-{status}">{status}</a></li>'
        for status, one in responses.items()
        if "$ref" in one
    )
    return good + (f'<ul class="problems">{problems}</ul>' if problems else "")


def _fields(described: Schema) -> str:
    fields: dict[str, Schema] = described.get("properties", {})
    required: Collection[str] = described.get(
        "required", fields
    )  # a request's fields are explained in its description
    return _list(fields, {name: "optional" for name in fields if name not in required}) if fields else ""


def _list(fields: dict[str, Schema], marks: dict[str, str]) -> str:
    rows = "".join(_field(name, one, marks.get(name, "")) for name, one in fields.items())
    return f"<dl>{rows}</dl>"


def _field(name: str, described: Schema, mark: str) -> str:
    about = f"<dd>{_inline(described['description'])}</dd>" if described.get("description") else ""
    items = described.get("items")
    inner = items if isinstance(items, dict) else described
    nested = f"<dd>{_fields(inner)}</dd>" if inner.get("properties") else ""
    shown = f"<em>{mark}</em>" if mark else ""
    return f"<dt><code>{escape(name)}</code><span>{type_of(described)}</span>{shown}</dt>{about}{nested}"


def _json(value: Any) -> str:
    return f"<pre><code>{escape(pretty(value), quote=False)}</code></pre>"


def _inline(plain: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(plain, quote=False))


def _resolved(one: Part, components: Part) -> Part:
    if "$ref" not in one:
        return one
    found: Part = components["parameters"][one["$ref"].rpartition("/")[2]]
    return found
