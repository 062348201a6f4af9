"""The document against the code: it cannot drift."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
from aiohttp.http_exceptions import LineTooLong
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from gateway import app
from gateway.config import Config
from gateway.domain import Options
from gateway.errors import InvalidInput
from gateway.openapi import bodies, fields, problems
from gateway.openapi.document import SCHEMAS, document
from gateway.openapi.parameters import BATCH_QUERY, PREDICT_QUERY
from gateway.openapi.paths import OPERATIONS
from gateway.serving import server
from gateway.wire import json_fields, json_request, options, raw, request
from gateway.wire.content_encoding import CODINGS
from gateway.wire.limits import Limits
from gateway.wire.problem import STATUS
from tests.gateway.openapi.answers import Answers

DOCUMENT = document()
LIMITS = Limits()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of each."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def test_it_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_it_has_every_route_with_its_scope_and_no_other() -> None:
    """Missing here? Add an entry to gateway/openapi/paths.py."""
    routes = {(method, path): scope for method, path, _, scope in app.ROUTES}
    described = {(one.method, one.path): one.scope for one in OPERATIONS}
    assert described == routes
    assert len(described) == len(OPERATIONS)


def test_every_prefix_is_a_server() -> None:
    served = {route.resource.canonical for route in app.make_app(Config()).router.routes() if route.resource}
    for one in DOCUMENT["servers"]:
        assert one["url"].rstrip("/") + "/predict" in served
    assert len(DOCUMENT["servers"]) == sum(
        path.endswith("/predict") and path.count("{") == 0 for path in served
    )


def test_a_path_that_needs_a_key_says_which_scope_and_what_happens_without() -> None:
    for one in OPERATIONS:
        operation = DOCUMENT["paths"][one.path][one.method.lower()]
        if one.scope is None:
            assert operation["security"] == []
            assert "401" not in operation["responses"]
        else:
            assert operation["security"] == [{"bearer": [one.scope]}, {"key": [one.scope]}, {}]
            assert {"401", "403", "429"} <= set(operation["responses"])


def test_json_requests_have_the_parsers_fields() -> None:
    assert set(SCHEMAS["PredictRequest"]["properties"]) == json_fields.PREDICT_FIELDS
    assert set(SCHEMAS["BatchItem"]["properties"]) == json_fields.ITEM_FIELDS
    assert set(SCHEMAS["BatchRequest"]["properties"]) == json_fields.BATCH_FIELDS


def test_query_strings_have_the_parsers_parameters() -> None:
    assert set(PREDICT_QUERY) == options.NAMES | raw.PARAMETERS
    assert set(BATCH_QUERY) == options.NAMES | {"continue_on_error"}
    assert fields.RAW["dtype"]["enum"] == list(raw.DTYPES)


def test_bodies_have_the_parsers_media_types_and_encodings() -> None:
    assert tuple(bodies.PREDICT) == request.MEDIA_TYPES
    assert tuple(bodies.BATCH) == request.BATCH_MEDIA_TYPES
    encodings = DOCUMENT["components"]["parameters"]["header.Content-Encoding"]["schema"]["enum"]
    assert encodings == ["identity", *CODINGS]


def test_every_error_has_its_status_and_an_example() -> None:
    """Missing here? Add an example to gateway/openapi/problems.py."""
    assert set(problems.EXAMPLES) == set(STATUS)
    responses = DOCUMENT["components"]["responses"]
    assert set(responses) == {
        str(status) for status in (*STATUS.values(), *(one["status"] for one in problems.BESIDE))
    }
    for status, response in responses.items():
        for told in response["content"]["application/problem+json"]["examples"].values():
            assert told["value"]["status"] == int(status)


def test_problems_of_the_http_server_are_the_documented_ones() -> None:
    told = [
        server.problem_of(400, LineTooLong(b"", 1), "x"),
        server.problem_of(400, None, "Invalid header token:\n\n^"),
    ]
    documented = {(one["status"], one["error"], one["detail"]) for one in problems.BESIDE}
    assert {(one["status"], one["error"], one["detail"]) for one in told} < documented


def examples() -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Where, its schema, and the example."""
    for path, method, operation in operations():
        parts = {**operation["responses"], "request": operation.get("requestBody", {})}
        for name, part in parts.items():
            for media_type, content in part.get("content", {}).items():
                named = {key: one["value"] for key, one in content.get("examples", {}).items()}
                if "example" in content:
                    named["example"] = content["example"]
                for key, value in named.items():
                    yield f"{method} {path} {name} {media_type} {key}", content["schema"], value
    for status, response in DOCUMENT["components"]["responses"].items():
        for key, one in response["content"]["application/problem+json"]["examples"].items():
            yield f"{status} {key}", {"$ref": "#/components/schemas/Problem"}, one["value"]


@pytest.mark.parametrize(
    ("schema", "value"), [(s, v) for _, s, v in examples()], ids=[name for name, _, _ in examples()]
)
def test_every_example_is_what_its_schema_says(schema: dict[str, Any], value: Any) -> None:
    Answers(DOCUMENT).check(schema, value)


def test_every_number_says_its_unit_and_every_field_what_it_is() -> None:
    """The contract's own types say so in their names and descriptions."""
    for name, schema in SCHEMAS.items():
        if name.startswith("contract."):
            continue
        for field, described in schema.get("properties", {}).items():
            assert {"description", "$ref", "const", "anyOf", "items"} & set(described), (name, field)
        for one in _inside(schema):
            if "properties" not in one and {"number", "integer"} & set(_types(one)):
                assert "x-unit" in one, (name, one)


def _types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def _inside(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _inside(one)
    elif isinstance(value, list):
        for one in value:
            yield from _inside(one)


def accepts(schema: dict[str, Any], value: Any) -> bool:
    """Whether the document allows it."""
    found: bool = Draft202012Validator({**schema, "components": DOCUMENT["components"]}).is_valid(value)
    return found


def parsed(parse: Any, *given: Any) -> bool:
    """Whether the code allows it."""
    try:
        parse(*given)
    except InvalidInput:
        return False
    return True


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1 - 2**-53]),
    st.text(max_size=3),
    st.sampled_from(["x" * 256, "x" * 257]),
    st.lists(st.text(max_size=2), max_size=4),
    st.sampled_from([[str(i) for i in range(1024)], [str(i) for i in range(1025)]]),
    st.just({}),
)


@given(name=st.sampled_from(sorted(options.NAMES)), value=VALUES)
def test_an_option_is_allowed_here_exactly_when_the_parser_takes_it(name: str, value: Any) -> None:
    documented = SCHEMAS["PredictRequest"]["properties"][name]
    assert accepts(documented, value) == parsed(options.from_fields, {name: value}, Options())


NUMBERS = st.floats(-2, 2)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS).map(list), min_size=1, max_size=3)
"""Never ragged where they are put together: no schema can say that."""
SAMPLES: st.SearchStrategy[Any] = st.one_of(
    PAIRS,
    PAIRS.map(lambda one: [one, one]),
    PAIRS.map(lambda one: [[one]]),
    st.sampled_from([None, [], [1.0, 2.0], [[1.0]], [[1.0, 2.0, 3.0]], [["1", 2.0]], 1.0, "x", {}]),
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "iq_data": SAMPLES,
        "features": SAMPLES,
        "geojson": st.sampled_from([True, None, 1.0]),
        "sample_id": st.just("a"),
        "extra": st.none(),
    },
)


@given(body=REQUESTS)
@example(body={"iq_data": [[1.0, 2.0]], "features": None})
def test_a_json_request_is_allowed_here_exactly_when_the_parser_takes_it(body: dict[str, Any]) -> None:
    assert accepts(SCHEMAS["PredictRequest"], body) == parsed(
        json_request.predict, orjson.dumps(body), LIMITS
    )
