"""Options are read under the same names from JSON and from a query string; errors name what is allowed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import Options
from gateway.errors import InvalidInput
from gateway.wire.options import NAMES, from_fields, from_query, parameters

ALL = Options(
    sample_rate_hz=192_000.0,
    frequency_mhz=145.5,
    session_id="s",
    cache_enabled=False,
    confidence_level=0.95,
    receiver_ids=("TO", "GE"),
    geojson=True,
)


def test_every_option_is_read_from_fields() -> None:
    fields: dict[str, Any] = {
        "sample_rate_hz": 192_000,
        "frequency_mhz": 145.5,
        "session_id": "s",
        "cache_enabled": False,
        "confidence_level": 0.95,
        "receiver_ids": ["TO", "GE"],
        "geojson": True,
    }
    assert fields.keys() == NAMES
    assert from_fields(fields, Options()) == ALL


def test_every_option_is_read_from_a_query_string() -> None:
    query = {
        "sample_rate_hz": "192e3",
        "frequency_mhz": "145.5",
        "session_id": "s",
        "cache_enabled": "false",
        "confidence_level": "0.95",
        "receiver_ids": "TO,GE",
        "geojson": "true",
    }
    assert query.keys() == NAMES
    assert from_query(query) == ALL


def test_null_means_not_given_and_defaults_stand() -> None:
    assert from_fields(dict.fromkeys(NAMES), ALL) is ALL
    assert from_fields({"geojson": False}, ALL).confidence_level == 0.95


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sample_rate_hz", 0, "sample_rate_hz: must be a finite number above 0, got 0"),
        ("sample_rate_hz", -1.5, "sample_rate_hz: must be a finite number above 0, got -1.5"),
        (
            "sample_rate_hz",
            float("inf"),
            "sample_rate_hz: must be a finite number above 0, got one beyond float64",
        ),
        ("sample_rate_hz", True, "sample_rate_hz: must be a finite number above 0, got true"),
        ("frequency_mhz", "145", 'frequency_mhz: must be a finite number above 0, got "145"'),
        ("confidence_level", 1.0, "confidence_level: must be a number above 0 and below 1, got 1"),
        ("confidence_level", 0, "confidence_level: must be a number above 0 and below 1, got 0"),
        ("confidence_level", [0.5], "confidence_level: must be a number above 0 and below 1, got an array"),
        ("cache_enabled", 1, "cache_enabled: must be true or false, got 1"),
        ("geojson", "true", 'geojson: must be true or false, got "true"'),
        ("session_id", 7, "session_id: must be a string of 1 to 256 characters, got 7"),
        ("session_id", "", "session_id: must have 1 to 256 characters, got 0"),
        ("session_id", "x" * 1257, "session_id: must have 1 to 256 characters, got 1,257"),
        (
            "session_id",
            "a\udc00",
            r'session_id: holds half of a surrogate pair, which is no character: "a\udc00"',
        ),
        ("receiver_ids", "TO", 'receiver_ids: must be an array of strings, got "TO"'),
        ("receiver_ids", [], "receiver_ids: must name 1 to 1024 receivers, got 0"),
        ("receiver_ids", ["a"] * 1025, "receiver_ids: must name 1 to 1024 receivers, got 1,025"),
        ("receiver_ids", ["a", None], "receiver_ids[1]: must be a string of 1 to 256 characters, got null"),
        ("receiver_ids", ["a", "b", "a"], 'receiver_ids: names "a" more than once'),
    ],
)
def test_a_wrong_field_is_refused_with_its_value_and_what_is_allowed(
    name: str, value: Any, message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_fields({name: value}, Options())
    assert caught.value.detail == message


def test_a_wrong_field_of_an_item_is_named_by_its_path() -> None:
    with pytest.raises(InvalidInput, match=r"^samples\[3\]\.geojson: must be true or false, got an object$"):
        from_fields({"geojson": {}}, Options(), at="samples[3].")


@pytest.mark.parametrize("text", ["nan", "inf", "1_000", " 1", "0x1", "", "1,5", "+1", "٣", "1" * 300])
def test_a_number_in_a_query_string_is_one_of_json(text: str) -> None:
    with pytest.raises(InvalidInput, match="frequency_mhz: must be a number, got "):
        from_query({"frequency_mhz": text})


@pytest.mark.parametrize("text", ["True", "1", "yes", ""])
def test_a_flag_in_a_query_string_is_true_or_false(text: str) -> None:
    with pytest.raises(InvalidInput, match="geojson: must be true or false, got "):
        from_query({"geojson": text})


def test_an_empty_receiver_id_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"receiver_ids\[1\]: must have 1 to 256 characters, got 0"):
        from_query({"receiver_ids": "a,,b"})


def test_unknown_and_repeated_parameters_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r'^unknown query parameter "c"; allowed here: a, b$'):
        parameters([("a", "1"), ("c", "2")], {"b", "a"})
    with pytest.raises(InvalidInput, match=r"^a: given more than once in the query string$"):
        parameters([("a", "1"), ("a", "1")], {"a"})


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), st.text(max_size=20)))
def test_any_text_in_a_query_string_is_a_value_or_an_error_that_can_be_sent(query: dict[str, str]) -> None:
    try:
        options = from_query(query)
    except InvalidInput as error:
        error.detail.encode()
    else:
        assert 0 < options.confidence_level < 1
