"""JSON requests: one recording, or a batch in any of its three spellings."""

from collections.abc import Collection
from typing import Any

import numpy as np

from gateway.domain import BatchRequest, Complex, Options, PredictRequest, Recording
from gateway.errors import InvalidInput
from gateway.wire import json_fast, json_text
from gateway.wire.json_fields import BATCH_FIELDS, BATCHES, ITEM_FIELDS, PREDICT_FIELDS
from gateway.wire.limits import Limits
from gateway.wire.nested import rectangular
from gateway.wire.options import flag, from_fields, text
from gateway.wire.samples import iq_from_pairs, single
from gateway.wire.show import kind, shown


def predict(body: bytes, limits: Limits) -> PredictRequest:
    """`{"iq_data": …}` or `{"features": …}`, and options.

    Raises:
        InvalidInput: not that; names the field, the value and what is allowed.
    """
    fields = _load(body, limits)
    _check_names(fields, PREDICT_FIELDS, "")
    return _request(fields, Options(), "")


def batch(body: bytes, limits: Limits) -> BatchRequest:
    """`{"iq_samples" | "samples" | "predictions": [item, …]}` and options that all items share.

    An item is an `iq_data` array, or an object like a single request's with a `sample_id`; its own options
    come first. An invalid item stands in its place as its error.

    Raises:
        InvalidInput: not that; names the field, the value and what is allowed.
    """
    fields = _load(body, limits)
    _check_names(fields, BATCH_FIELDS, "")
    spelling = _only(fields, BATCHES, "")
    items = fields[spelling]
    if not isinstance(items, list):
        raise InvalidInput(f"must be an array, got {kind(items)}", field=spelling)
    if not 1 <= len(items) <= limits.batch_items:
        raise InvalidInput(f"must have 1 to {limits.batch_items} items, got {len(items):,}", field=spelling)
    shared = from_fields(fields, Options())
    go_on = fields.get("continue_on_error")
    return BatchRequest(
        items=tuple(_item(item, shared, f"{spelling}[{i}]") for i, item in enumerate(items)),
        continue_on_error=True if go_on is None else flag(go_on, "continue_on_error"),
        sample_ids=tuple(_sample_id(item) for item in items),
    )


def _load(body: bytes, limits: Limits) -> dict[str, Any]:
    json_text.check_size(body, limits.json_values)
    document = json_fast.load(body)
    return json_text.load(body) if document is None else document


def _item(item: Any, shared: Options, at: str) -> PredictRequest | InvalidInput:
    try:
        match item:
            case list() | np.ndarray():
                return PredictRequest(Recording(iq=_iq(item, at)), shared)
            case dict():
                _check_names(item, ITEM_FIELDS, at)
                return _request(item, shared, at + ".")
    except InvalidInput as error:
        return error
    return InvalidInput(f"must be an array of [I, Q] or an object, got {kind(item)}", field=at)


def _sample_id(item: Any) -> str | None:
    """The item's name, if it is one: an item with a wrong name has an error that says so."""
    if not isinstance(item, dict) or item.get("sample_id") is None:
        return None
    try:
        return text(item["sample_id"], "sample_id")
    except InvalidInput:
        return None


def _request(fields: dict[str, Any], defaults: Options, at: str) -> PredictRequest:
    options = from_fields(fields, defaults, at=at)
    sample_id = fields.get("sample_id")
    if sample_id is not None:
        sample_id = text(sample_id, at + "sample_id")
    name = _only(fields, ("iq_data", "features"), at)
    if name == "iq_data":
        recording = Recording(iq=_iq(fields[name], at + name), sample_id=sample_id)
    else:
        values = rectangular(fields[name], at + name, of="value")
        recording = Recording(features=single(values, at + name), sample_id=sample_id)
    return PredictRequest(recording, options)


def _iq(value: Any, field: str) -> Complex:
    return iq_from_pairs(rectangular(value, field, of="sample"), field)


def _only(fields: dict[str, Any], names: Collection[str], at: str) -> str:
    """The one of `names` that is given."""
    given = [name for name in sorted(names, reverse=True) if fields.get(name) is not None]
    if len(given) != 1:
        listed = ", ".join(sorted(names, reverse=True))
        got = " and ".join(given) or "none"
        raise InvalidInput(f"exactly one of {listed} must be given, got {got}", field=at.rstrip(".") or None)
    return given[0]


def _check_names(fields: dict[str, Any], allowed: frozenset[str], at: str) -> None:
    unknown = next((name for name in fields if name not in allowed), None)
    if unknown is not None:
        names = ", ".join(sorted(allowed))
        raise InvalidInput(f"unknown field {shown(unknown)}; allowed here: {names}", field=at or None)
