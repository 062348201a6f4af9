"""docs/api.md: every example runs, and says what the page says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.openapi.document import document
from gateway.wire.request import MEDIA_TYPES
from tests.docs.examples import DOCS, Example, examples, run
from tests.gateway.openapi.answers import Answers

EXAMPLES = examples("api.md")
RUN = [one for one in EXAMPLES if one.language != "json"]
(ANSWER,) = (json.loads(one.code) for one in EXAMPLES if one.language == "json")
FORMS = ("npy", "Raw samples", "SigMF", "JSON", "Tensors", "Batches")
NO_FIX = {
    "A fix in five minutes 3 sh",
    "A fix in five minutes 4 python",
    "Errors 1 python",
    "GeoJSON 1 sh",
    "Truths 1 python",
    "Recent localisations 1 sh",
    "What is served 1 sh",
    "Under a prefix 1 sh",
}
"""Examples that print no position."""


@pytest.mark.stack
@pytest.mark.parametrize("example", RUN, ids=str)
def test_every_example_gives_the_pages_fix(example: Example, demo_gateway: str, folder: Path) -> None:
    """In the page's order: files that one makes are used by others."""
    printed = run(example, folder, {"http://127.0.0.1:8080": demo_gateway})
    latitudes = [float(one) for one in re.findall(r"\"?'?latitude\"?'?: ?(-?[\d.]+)", printed)]
    if str(example) in NO_FIX:
        return
    assert latitudes
    assert latitudes[0] == pytest.approx(ANSWER["position"]["latitude"], abs=1e-4)


@pytest.mark.stack
def test_the_pages_answer_is_the_gateways(demo_gateway: str, folder: Path) -> None:
    printed = json.loads(run(RUN[0], folder, {"http://127.0.0.1:8080": demo_gateway}))
    varying = ("id", "timestamp", "inference_time_ms", "_cache_hit")
    assert list(printed) == list(ANSWER)
    for name in set(ANSWER) - set(varying):
        assert _rounded(printed[name]) == _rounded(ANSWER[name]), name
    Answers(document()).check({"$ref": "#/components/schemas/Prediction"}, ANSWER)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return pytest.approx(value, rel=2e-2, abs=1e-3) if isinstance(value, float) else value


@pytest.mark.stack
def test_the_error_is_the_one_that_is_promised(demo_gateway: str, folder: Path) -> None:
    (example,) = (one for one in RUN if one.section == "Errors")
    printed = run(example, folder, {"http://127.0.0.1:8080": demo_gateway})
    assert printed.startswith("400 invalid_input iq_data")


def test_every_form_is_shown_with_every_client() -> None:
    for form in FORMS:
        shown = [one for one in RUN if one.section == form]
        for client in ("curl ", "import requests", "import aiohttp", "await fetch("):
            assert any(client in one.code for one in shown), (form, client)
    text = "".join(one.code for one in RUN)
    for media_type in MEDIA_TYPES:
        assert media_type in text


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", (DOCS / "api.md").read_text()):
        file, _, anchor = link.partition("#")
        page = DOCS / (file or "api.md")
        assert page.is_file(), link
        headings = {
            re.sub(r"[^\w -]", "", one).lower().replace(" ", "-")
            for one in re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
        }
        assert not anchor or anchor in headings, link
