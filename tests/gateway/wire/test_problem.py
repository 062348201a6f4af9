"""Errors as problem documents."""

import inspect
from datetime import UTC, datetime

import orjson
import pytest

from gateway import errors
from gateway.wire.problem import STATUS, problem, status_of, timestamp

CLASSES = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, errors.FixgateError)
    and one is not errors.FixgateError
    and not one.__name__.startswith("_")
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_of_ours_has_a_status_of_its_own(kind: type[errors.FixgateError]) -> None:
    assert kind in STATUS


def test_a_status_says_whose_fault_it_is() -> None:
    assert [status_of(kind("")) for kind in (errors.InvalidInput, errors.TooLarge, errors.BadAnswer)] == [
        400,
        413,
        502,
    ]


def test_a_class_without_an_entry_counts_as_its_base() -> None:
    class Narrower(errors.UnsupportedMedia):
        pass

    class Foreign(KeyError):
        pass

    assert (status_of(Narrower("")), status_of(Foreign())) == (415, 500)


def test_a_problem_names_the_field_and_heimdalls_fields() -> None:
    document = problem(errors.TooLarge("9 bytes", field="body"), instance="/p", request_id="r")
    assert document.pop("timestamp").endswith("Z")
    assert document == {
        "type": "urn:fixgate:problem:too-large",
        "title": "Request Entity Too Large",
        "status": 413,
        "detail": "body: 9 bytes",
        "instance": "/p",
        "error": "too_large",
        "message": "body: 9 bytes",
        "request_id": "r",
        "field": "body",
    }


def test_a_foreign_error_tells_nothing_of_itself() -> None:
    document = problem(ValueError("/etc/secret"), instance="/p", request_id="r")
    assert (document["status"], document["error"]) == (500, "internal_error")
    assert "secret" not in str(document)


def test_timestamps_are_utc_with_milliseconds() -> None:
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)) == "2026-01-02T03:04:05.678Z"


def test_a_detail_with_what_is_no_text_can_still_be_written() -> None:
    """A header's bytes that are not UTF-8 are lone surrogates by the time they are named."""
    told = problem(errors.NotFound('no alias "\udce9"'), instance="/", request_id="r")
    assert orjson.loads(orjson.dumps(told))["detail"] == 'no alias "\\udce9"'
