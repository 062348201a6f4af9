"""A recording against a model's contract: the canonical input, taken before the front-end. Pure.

Canonical means: however a client spelled a recording, the same bytes come out, so that they can be the
cache key.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.catalog import TensorSpec
from contract.model import IqInput, MelInput, ModelContract, TensorInput
from gateway.domain import Complex, Float, Options, Recording
from gateway.errors import InvalidInput

DYNAMIC = -1


def conform(
    recording: Recording, options: Options, contract: ModelContract, shape: tuple[int, ...]
) -> Complex | Float:
    """The recording as this model's contract wants it, in C order.

    Args:
        shape: the input tensor's, from `tensor_shape`.

    Returns:
        For `kind: mel`, complex64 (receivers, samples), which the front-end turns into the tensor; for
        `kind: iq`, float32 (receivers, samples, 2); for features, float32 in the tensor's shape.

    Raises:
        InvalidInput: receivers, samples, sample rate or shape differ from the contract's; gives both.
    """
    _check_sample_rate(options.sample_rate_hz, contract)
    if isinstance(contract.input, TensorInput) and options.receiver_ids is not None:
        raise InvalidInput("this model takes its input tensor, without named receivers", field="receiver_ids")
    order = None if options.receiver_ids is None else _order(options.receiver_ids, contract)
    if recording.features is not None:
        return _in_order(_shaped(recording.features, shape), order)
    if recording.iq is None:
        raise InvalidInput("exactly one of iq_data, features must be given, got none")
    return _iq(recording.iq, order, contract)


def tensor_shape(contract: ModelContract, inputs: Sequence[TensorSpec]) -> tuple[int, ...]:
    """Shape of the model's input tensor without the batch axis; -1 = dynamic.

    Args:
        inputs: the served version's input tensors; the contract names one of them.
    """
    match contract.input:
        case MelInput(frontend=frontend):
            return contract.receiver_count or DYNAMIC, frontend.n_mels, frontend.frames
        case IqInput(samples=samples):
            return contract.receiver_count or DYNAMIC, samples or DYNAMIC, 2
        case TensorInput(tensor=tensor):
            return {spec.name: spec.shape for spec in inputs}[tensor]


def _iq(iq: Complex, order: list[int] | None, contract: ModelContract) -> Complex | Float:
    wanted = contract.input
    if isinstance(wanted, TensorInput):
        raise InvalidInput(
            "this model takes its input tensor: send `features`, or a float32 array", field="iq_data"
        )
    _check_samples(iq.shape[1], wanted)
    if order is not None and len(iq) != len(order):
        raise InvalidInput(f"{_receivers(len(iq))}, but receiver_ids names {len(order)}", field="iq_data")
    ordered = _in_order(_all_receivers(iq, wanted, contract), order)
    if isinstance(wanted, MelInput):
        return ordered
    pairs: Float = ordered.view(np.float32).reshape(*ordered.shape, 2)
    return pairs


def _check_sample_rate(given: float | None, contract: ModelContract) -> None:
    if given is None:
        return
    rate = contract.sample_rate_hz
    if rate is None:
        raise InvalidInput(
            f"got {_hz(given)}, but this model's contract has no sample rate to compare it with",
            field="sample_rate_hz",
        )
    if given != rate:
        raise InvalidInput(f"this model takes {_hz(rate)}, got {_hz(given)}", field="sample_rate_hz")


def _check_samples(given: int, wanted: MelInput | IqInput) -> None:
    if isinstance(wanted, MelInput):
        least = wanted.frontend.n_fft
        if given < least:
            raise InvalidInput(
                f"{given:,} samples per receiver; this model takes at least {least:,}", field="iq_data"
            )
    elif wanted.samples is not None and given != wanted.samples:
        raise InvalidInput(
            f"{given:,} samples per receiver; this model takes exactly {wanted.samples:,}", field="iq_data"
        )


def _all_receivers(iq: Complex, wanted: MelInput | IqInput, contract: ModelContract) -> Complex:
    """As many receivers as the model takes; one is repeated where the contract allows that."""
    given, count = len(iq), contract.receiver_count
    if given == count:
        return iq
    repeats = wanted.one_receiver == "repeat"
    if given == 1 and repeats:
        return np.repeat(iq, count or 1, axis=0)
    or_one = ", or 1 that is repeated" if repeats else ""
    raise InvalidInput(f"{_receivers(given)}; this model takes {count}{or_one}", field="iq_data")


def _in_order(data: NDArray[Any], order: list[int] | None) -> NDArray[Any]:
    """The receivers (first axis) in that order."""
    if order is not None:
        data = data[order]
    return data if data.flags.c_contiguous else np.ascontiguousarray(data)


def _order(ids: tuple[str, ...], contract: ModelContract) -> list[int]:
    """Where in `ids` the contract's receivers are, in its order."""
    known = contract.receiver_ids
    if not known:
        raise InvalidInput("this model's contract does not name its receivers", field="receiver_ids")
    allowed = f"this model's receivers are {', '.join(known)}"
    if unknown := [one for one in ids if one not in known]:
        raise InvalidInput(f"unknown: {', '.join(unknown)}; {allowed}", field="receiver_ids")
    if missing := [one for one in known if one not in ids]:
        raise InvalidInput(f"missing: {', '.join(missing)}; {allowed}", field="receiver_ids")
    return [ids.index(one) for one in known]


def _shaped(features: Float, wanted: tuple[int, ...]) -> Float:
    if features.ndim == len(wanted):
        if all(n in (m, DYNAMIC) for n, m in zip(wanted, features.shape, strict=True)):
            return features
    elif features.ndim == 1 and _fits_flat(features.size, wanted):
        return features.reshape(wanted)
    raise InvalidInput(f"shape {_named(features.shape)}; this model takes {_named(wanted)}", field="features")


@lru_cache(maxsize=1024)
def _fits_flat(size: int, wanted: tuple[int, ...]) -> bool:
    if 0 in wanted or wanted.count(DYNAMIC) > 1:
        return False
    fixed = math.prod(n for n in wanted if n != DYNAMIC)
    return size % fixed == 0 if DYNAMIC in wanted else size == fixed


def _named(shape: tuple[int, ...]) -> str:
    """`(3, 128, any)`."""
    return f"({', '.join('any' if n == DYNAMIC else str(n) for n in shape)})"


def _hz(rate: float) -> str:
    return repr(rate).removesuffix(".0")


def _receivers(count: int) -> str:
    return "1 receiver" if count == 1 else f"{count:,} receivers"
