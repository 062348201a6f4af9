"""The document as one HTML page: no script, nothing loaded from anywhere."""

import base64
import hashlib
from html import escape
from importlib.resources import files
from typing import Any

from gateway.openapi.page_parts import error, operation, schema, text

_STYLE = files("gateway.openapi").joinpath("page.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} API</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<div class="frame">
<nav aria-label="Contents">{links}</nav>
<main>
<header><h1>{title}<small>{version}</small></h1>{about}
<p><a href="openapi.json">openapi.json</a> is the same for machines.</p></header>
{sections}
<section id="errors"><h2>Errors</h2><p>Every error is a problem document.</p>{errors}</section>
<section id="schemas"><h2>Schemas</h2><p>What the bodies are made of.</p>{schemas}</section>
<footer>fixgate {version}, OpenAPI {openapi}</footer>
</main>
</div>
</body>
</html>
"""

Operations = list[tuple[str, str, dict[str, Any]]]


def page(document: dict[str, Any]) -> str:
    """The whole page."""
    info, components = document["info"], document["components"]
    tagged = {tag["name"]: _tagged(document, tag["name"]) for tag in document["tags"]}
    return _PAGE.format(
        title=escape(info["title"]),
        version=escape(info["version"]),
        openapi=escape(document["openapi"]),
        style=_STYLE,
        about=text(info["description"]),
        links=_links(tagged),
        sections="".join(_section(tag, tagged[tag["name"]], components) for tag in document["tags"]),
        errors="".join(error(status, one) for status, one in components["responses"].items()),
        schemas="".join(schema(name, one) for name, one in components["schemas"].items()),
    )


def _tagged(document: dict[str, Any], tag: str) -> Operations:
    return [
        (path, method, one)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
        if tag in one["tags"]
    ]


def _section(tag: dict[str, str], operations: Operations, components: dict[str, Any]) -> str:
    shown = "".join(operation(path, method, one, components) for path, method, one in operations)
    return (
        f'<section id="{_anchor(tag["name"])}"><h2>{escape(tag["name"])}</h2>'
        f"{text(tag['description'])}{shown}</section>"
    )


def _links(tagged: dict[str, Operations]) -> str:
    parts = []
    for name, operations in tagged.items():
        items = "".join(
            f'<li><a href="#{escape(one["operationId"])}"><b>{method.upper()}</b>{_breakable(path)}</a></li>'
            for path, method, one in operations
        )
        parts.append(f'<p><a href="#{_anchor(name)}">{escape(name)}</a></p><ul>{items}</ul>')
    return "".join(parts) + '<p><a href="#errors">Errors</a></p><p><a href="#schemas">Schemas</a></p>'


def _breakable(path: str) -> str:
    return escape(path).replace("/", "/<wbr>")


def _anchor(name: str) -> str:
    return "tag-" + escape(name.lower().replace(" ", "-"))
