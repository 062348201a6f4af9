"""One recording or a batch in JSON; what is wrong is named by its place."""

import json
from typing import Any

import numpy as np
import pytest

from gateway.domain import PredictRequest
from gateway.errors import InvalidInput
from gateway.wire.json_request import batch, predict
from gateway.wire.limits import Limits

LIMITS = Limits()
ONE = [[1, 2], [3, 4.5]]


def document(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_one_receiver_is_a_list_of_pairs() -> None:
    iq = predict(document(iq_data=ONE), LIMITS).recording.iq
    assert iq is not None
    assert iq.tolist() == [[1 + 2j, 3 + 4.5j]]


def test_several_receivers_are_a_list_of_those() -> None:
    iq = predict(document(iq_data=[ONE, [[5, 6], [7, 8]]]), LIMITS).recording.iq
    assert iq is not None
    assert iq.tolist() == [[1 + 2j, 3 + 4.5j], [5 + 6j, 7 + 8j]]


@pytest.mark.parametrize("features", [[1, 2, 3], [[1, 2], [3, 4]], [[[[1]]]]])
def test_features_keep_their_nesting(features: Any) -> None:
    recording = predict(document(features=features, iq_data=None), LIMITS).recording
    assert recording.iq is None
    assert recording.features is not None
    assert recording.features.dtype == np.float32
    assert recording.features.tolist() == features


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"iq_data":[[1,2]],"iq":1}', 'unknown field "iq"; allowed here: cache_enabled, confidence_level, '),
        ('{"iq_data":[[1,2]],"sample_id":"a"}', 'unknown field "sample_id"; allowed here: cache_enabled, '),
        ("{}", "exactly one of iq_data, features must be given, got none"),
        ('{"iq_data":null}', "exactly one of iq_data, features must be given, got none"),
        (
            '{"iq_data":[[1,2]],"features":[1]}',
            "exactly one of iq_data, features must be given, got iq_data and",
        ),
        ('{"iq_data":"abc"}', "iq_data: must be an array of numbers, got a string"),
        ('{"iq_data":{"a":[1]}}', "iq_data: must be an array of numbers, got an object"),
        ('{"iq_data":[]}', "iq_data: is empty"),
        ('{"iq_data":[[[]]]}', "iq_data[0][0]: is empty"),
        (
            '{"iq_data":[1,2]}',
            "iq_data: must be [[I, Q], …] for one receiver or [[[I, Q], …], …] for several, got",
        ),
        (
            '{"iq_data":[[[[1,2]]]]}',
            "iq_data: must be [[I, Q], …] for one receiver or [[[I, Q], …], …] for sev",
        ),
        ('{"iq_data":[[1,2,3]]}', "iq_data[0]: must be a pair [I, Q], got 3 numbers"),
        ('{"iq_data":[[[1],[2]]]}', "iq_data[0][0]: must be a pair [I, Q], got 1 number"),
        ('{"iq_data":[[1,2],[3]]}', "iq_data[1]: 1 value where iq_data[0] has 2"),
        ('{"iq_data":[[1,2],3]}', "iq_data[1]: is a number where iq_data[0] is an array"),
        ('{"iq_data":[3,[1,2]]}', "iq_data[1]: must be a number, got an array"),
        ('{"iq_data":[[[1,2],[3,4]],[[1,2]]]}', "iq_data[1]: 1 sample where iq_data[0] has 2"),
        ('{"iq_data":[[1,"2"]]}', "iq_data[0][1]: must be a number, got a string"),
        ('{"iq_data":[[1,false]]}', "iq_data[0][1]: must be a number, got a boolean"),
        ('{"iq_data":[[1,2],[1e999,0]]}', "iq_data[1][0]: inf is not finite"),
        ('{"iq_data":[[[1,2],[0,-1e39]]]}', "iq_data[0][1][1]: -1e+39 is not a finite float32 number"),
        ('{"features":[[1,2],[3,1e39]]}', "features[1][1]: 1e+39 is not a finite float32 number"),
        ('{"features":[[[[[[[[[1]]]]]]]]]}', "features: nested deeper than 8 levels"),
        ('{"features":5}', "features: must be an array of numbers, got a number"),
        ('{"iq_data":[[1,2]],"geojson":1}', "geojson: must be true or false, got 1"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(body: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        predict(body.encode(), LIMITS)
    assert caught.value.detail.startswith(message)


def test_ragged_receivers_are_compared_with_the_first() -> None:
    rows = [[[0, 0]] * 17_920, [[0, 0]] * 17_919]
    with pytest.raises(InvalidInput, match=r"^iq_data\[1\]: 17,919 samples where iq_data\[0\] has 17,920$"):
        predict(document(iq_data=rows), LIMITS)


@pytest.mark.parametrize("spelling", ["iq_samples", "samples", "predictions"])
def test_a_batch_has_three_spellings_and_two_kinds_of_items(spelling: str) -> None:
    items = [ONE, {"sample_id": "b", "features": [1, 2]}, {"iq_data": [ONE, ONE]}]
    first, second, third = batch(document(**{spelling: items}), LIMITS).items
    assert isinstance(first, PredictRequest)
    assert first.recording.iq is not None
    assert first.recording.iq.shape == (1, 2)
    assert isinstance(second, PredictRequest)
    assert (second.recording.sample_id, second.recording.iq) == ("b", None)
    assert isinstance(third, PredictRequest)
    assert third.recording.iq is not None
    assert third.recording.iq.shape == (2, 2)


def test_items_share_options_and_may_have_their_own() -> None:
    items = [ONE, {"iq_data": ONE, "geojson": False, "session_id": "own"}]
    shared = {"geojson": True, "confidence_level": 0.9}
    first, second = batch(document(iq_samples=items, **shared), LIMITS).items
    assert isinstance(first, PredictRequest)
    assert isinstance(second, PredictRequest)
    assert (first.options.geojson, first.options.session_id) == (True, None)
    assert (second.options.geojson, second.options.session_id) == (False, "own")
    assert second.options.confidence_level == 0.9


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ([[1, 2], [3]], "samples[1][1]: 1 value where samples[1][0] has 2"),
        ([[[1, 2], [3, 4]], [[5, 6]]], "samples[1][1]: 1 sample where samples[1][0] has 2"),
        (5, "samples[1]: must be an array of [I, Q] or an object, got a number"),
        (None, "samples[1]: must be an array of [I, Q] or an object, got null"),
        ({}, "samples[1]: exactly one of iq_data, features must be given, got none"),
        ({"iq": ONE}, 'samples[1]: unknown field "iq"; allowed here: cache_enabled'),
        ({"iq_data": [[1]]}, "samples[1].iq_data[0]: must be a pair [I, Q], got 1 number"),
        (
            {"iq_data": ONE, "sample_id": 5},
            "samples[1].sample_id: must be a string of 1 to 256 characters, got 5",
        ),
        ({"iq_data": ONE, "geojson": "no"}, 'samples[1].geojson: must be true or false, got "no"'),
    ],
)
def test_an_invalid_item_fails_alone_in_its_place(item: Any, message: str) -> None:
    first, error, last = batch(document(samples=[ONE, item, ONE]), LIMITS).items
    assert isinstance(first, PredictRequest)
    assert isinstance(last, PredictRequest)
    assert isinstance(error, InvalidInput)
    assert error.detail.startswith(message)


@pytest.mark.parametrize(("given", "expected"), [({}, True), ({"continue_on_error": False}, False)])
def test_a_batch_goes_on_after_an_error_unless_told_otherwise(given: dict[str, bool], expected: bool) -> None:
    assert batch(document(samples=[ONE], **given), LIMITS).continue_on_error is expected


def test_a_batch_has_1_to_100_items() -> None:
    assert len(batch(document(samples=[ONE] * 100), LIMITS).items) == 100
    for count, shown in ((0, "0"), (101, "101"), (1500, "1,500")):
        with pytest.raises(InvalidInput, match=rf"^samples: must have 1 to 100 items, got {shown}$"):
            batch(document(samples=[ONE] * count), LIMITS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of samples, predictions, iq_samples must be given, got none"),
        (
            {"samples": [ONE], "iq_samples": [ONE]},
            "exactly one of samples, predictions, iq_samples must be given, got",
        ),
        ({"samples": {"a": 1}}, "samples: must be an array, got an object"),
        ({"samples": [ONE], "continue_on_error": "no"}, 'continue_on_error: must be true or false, got "no"'),
        (
            {"samples": [ONE], "iq_data": ONE},
            'unknown field "iq_data"; allowed here: cache_enabled, confidence_level',
        ),
    ],
)
def test_a_malformed_batch_is_refused_as_a_whole(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        batch(document(**fields), LIMITS)
    assert caught.value.detail.startswith(message)


def test_every_item_keeps_its_name_even_where_it_fails() -> None:
    items = [ONE, {"sample_id": "b", "iq_data": ONE}, {"sample_id": "c"}, {"sample_id": 5, "iq_data": ONE}]
    found = batch(document(samples=items), LIMITS)
    assert [found.sample_id(place) for place in range(4)] == ["0", "b", "c", "3"]
    assert isinstance(found.items[2], InvalidInput)
