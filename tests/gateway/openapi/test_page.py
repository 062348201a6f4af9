"""The page: everything of the document is on it, nothing of it can be taken for markup."""

import json
import re
from html.parser import HTMLParser

import pytest

from gateway.openapi.document import document
from gateway.openapi.page import page
from gateway.openapi.page_parts import text
from gateway.openapi.pretty import WIDTH, pretty
from gateway.openapi.type_text import type_of

VOID = {"meta", "link", "wbr", "br", "hr", "img", "input"}


class Outline(HTMLParser):
    """Ids, links, words; fails on tags that are closed in another order than they were opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if found.get("id") else []  # type: ignore[list-item]
        self.links |= {str(found["href"])} if "href" in found else set()
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


OUTLINE = Outline(page(document()))


def test_every_link_leads_to_something_on_the_page() -> None:
    inside = {link.removeprefix("#") for link in OUTLINE.links if link.startswith("#")}
    assert inside <= set(OUTLINE.ids)
    assert len(set(OUTLINE.ids)) == len(OUTLINE.ids)


def test_everything_is_on_it() -> None:
    words = "".join(OUTLINE.words)
    found = document()
    for name, schema in found["components"]["schemas"].items():
        assert f"schema-{name}" in OUTLINE.ids
        for field in schema.get("properties", {}):
            assert field in words
    for status in found["components"]["responses"]:
        assert f"error-{status}" in OUTLINE.ids
    for methods in found["paths"].values():
        for operation in methods.values():
            assert operation["operationId"] in OUTLINE.ids


def test_markup_in_a_description_stays_text() -> None:
    assert text("a <b> & `<c>`") == "<p>a &lt;b&gt; &amp; <code>&lt;c&gt;</code></p>"


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({"type": "number", "x-unit": "m", "minimum": 0}, "number in m, ≥ 0"),
        ({"type": ["number", "null"], "x-unit": "1", "exclusiveMaximum": 1}, "number, &lt; 1"),
        ({"enum": ["a", None]}, "one of <code>a</code>"),
        ({"const": False}, "always <code>false</code>"),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 9},
            "array of string, 1 to 9 items",
        ),
        ({"type": "string", "maxLength": 2, "minLength": 2}, "string, 2 characters"),
        ({"anyOf": [{"$ref": "#/components/schemas/Iq"}, {"type": "null"}]}, '<a href="#schema-Iq">Iq</a>'),
        (
            {"type": "object", "additionalProperties": {"type": "integer", "default": 1}},
            "object of integer, default <code>1</code>",
        ),
    ],
)
def test_a_type_is_said_in_words(schema: dict[str, object], shown: str) -> None:
    assert re.sub("&ge;", "≥", type_of(schema)) == shown


def test_json_is_broken_where_it_must_be_and_means_the_same() -> None:
    value = {"a": [[0.5, 1.5]] * 20, "b": {"c": "d"}}
    shown = pretty(value)
    assert json.loads(shown) == value
    assert max(map(len, shown.splitlines())) <= WIDTH + 2
    assert pretty({"b": [1, 2]}) == '{"b": [1, 2]}'
