"""Which contract a version has, and whether it agrees with the version's graph (pure)."""

from collections.abc import Mapping
from typing import Any

from contract import model as contracts
from contract.catalog import TensorSpec
from contract.model import IqInput, MelInput, ModelContract
from sync.desired import CONTRACT_TAG, SIGMA_SCALE_TAG
from sync.errors import Refused

FLOATS = ("FP32", "FP64")
MAX_SIGMA_SCALE = 1000.0


def effective(
    version_tags: Mapping[str, str],
    metadata: dict[str, Any] | None,
    model_tags: Mapping[str, str],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
) -> ModelContract:
    """The first contract found: the version's tag, MLmodel metadata, the model's tag; else inferred.

    Raises:
        Refused: it cannot be read, is wrong in itself, or cannot be inferred; says where it stands.
    """
    given: tuple[str, str | dict[str, Any]] | None = None
    if tag := version_tags.get(CONTRACT_TAG):
        given = (f"version tag {CONTRACT_TAG}", tag)
    elif metadata is not None:
        given = ("MLmodel metadata.fixgate", metadata)
    elif tag := model_tags.get(CONTRACT_TAG):
        given = (f"registered-model tag {CONTRACT_TAG}", tag)
    try:
        if given is None:
            kinds = {one.name: "float" if one.datatype == "FP32" else one.datatype for one in inputs}
            return contracts.infer(kinds, {one.name for one in outputs})
        return contracts.parse(given[1])
    except contracts.ContractError as error:
        raise Refused("contract", f"{given[0]}: {error}" if given else str(error)) from error


def sigma_scale(version_tags: Mapping[str, str], contract: ModelContract) -> float:
    """The version's tag `fixgate.sigma_scale`, else the contract's.

    Raises:
        Refused: the tag is not a number above 0 and at most 1000.
    """
    text = version_tags.get(SIGMA_SCALE_TAG)
    if text is None:
        return contract.output.uncertainty.sigma_scale
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= MAX_SIGMA_SCALE:
        raise Refused("contract", f"tag {SIGMA_SCALE_TAG}: above 0 and at most 1000, got {text!r}")
    return scale


def check(contract: ModelContract, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
    """Whether the graph takes and gives what the contract says.

    Raises:
        Refused: names the tensor, what the contract wants and what the graph has.
    """
    _check_input(contract, {one.name: one for one in inputs})
    given = {one.name: one for one in outputs}
    uncertainty = contract.output.uncertainty
    for key, tensor, width in (
        ("output.position", contract.output.position.tensor, 2),
        ("output.uncertainty", uncertainty.tensor, uncertainty.width),
    ):
        spec = given.get(tensor)
        if spec is None:
            raise Refused(
                "contract", f"{key}.tensor: the graph has no output {tensor!r}, it has {_names(given)}"
            )
        if spec.datatype not in FLOATS:
            raise Refused("contract", f"{key}: output {tensor!r} is {spec.datatype}, must be FP32 or FP64")
        if len(spec.shape) != 1 or spec.shape[0] not in (width, -1):
            raise Refused("contract", f"{key}: output {tensor!r} is {_shape(spec)}, must be (N, {width})")


def _check_input(contract: ModelContract, inputs: Mapping[str, TensorSpec]) -> None:
    tensor = contract.input.tensor
    spec = inputs.get(tensor)
    if spec is None:
        raise Refused("contract", f"input.tensor: the graph has no input {tensor!r}, it has {_names(inputs)}")
    if len(inputs) > 1:
        raise Refused(
            "contract", f"the graph has inputs {_names(inputs)}; a localisation model takes {tensor!r} alone"
        )
    if spec.datatype != "FP32":
        raise Refused("contract", f"input.tensor: {tensor!r} is {spec.datatype}, must be FP32")
    wanted = expected_shape(contract)
    if wanted is not None and not _fits(spec.shape, wanted):
        raise Refused(
            "contract",
            f"input: the contract gives {tensor!r} {_shape_of(wanted)}, the graph wants {_shape(spec)}",
        )


def expected_shape(contract: ModelContract) -> tuple[int, ...] | None:
    """The input's shape without the batch axis, -1 = any; None for `kind: tensor`."""
    count = contract.receiver_count
    match contract.input:
        case MelInput(frontend=frontend) if count is not None:
            return (count, frontend.n_mels, frontend.frames)
        case IqInput(samples=samples) if count is not None:
            return (count, -1 if samples is None else samples, 2)
        case _:
            return None


def compatible(
    served: tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]],
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
) -> None:
    """Whether a version fits the config that the model's other versions are served under.

    Raises:
        Refused: names the tensor and says what to do.
    """
    for kind, old, new in (("input", served[0], inputs), ("output", served[1], outputs)):
        offered = {one.name: one for one in new}
        for spec in old:
            if offered.get(spec.name) != spec:
                found = offered.get(spec.name)
                raise Refused(
                    "interface",
                    f"{kind} {spec.name!r} is {_spec(found) if found else 'not there'}, but the versions "
                    f"already served have {_spec(spec)}. Triton has one config for all versions of a model: "
                    "register this one under another name, or take every other version out of service first",
                )
    if len(inputs) != len(served[0]):
        raise Refused(
            "interface",
            f"the graph has inputs {[one.name for one in inputs]}, the versions already served have "
            f"{[one.name for one in served[0]]}; register it under another name",
        )


def _fits(graph: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(graph) == len(wanted) and all(
        one in (-1, other) for one, other in zip(graph, wanted, strict=True)
    )


def _names(specs: Mapping[str, TensorSpec]) -> str:
    return ", ".join(repr(name) for name in sorted(specs)) or "none"


def _shape(spec: TensorSpec) -> str:
    return _shape_of(spec.shape)


def _shape_of(shape: tuple[int, ...]) -> str:
    return "(N" + "".join(f", {'any' if one == -1 else one}" for one in shape) + ")"


def _spec(spec: TensorSpec) -> str:
    return f"{spec.datatype} {_shape(spec)}"
