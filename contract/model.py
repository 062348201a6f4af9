"""The model contract: what a model's tensors mean.

A contract is a JSON document (see docs/contract.md). `parse` turns it into a frozen value in which
everything has been checked, so that no reader has to check again.
"""

import hashlib
from typing import Annotated, Any, Literal

import msgspec

SCHEMA = 1

Axis = Literal["latitude", "longitude"]
Direction = Literal["north", "east"]
Window = Literal[
    "barthann", "bartlett", "blackman", "blackmanharris", "bohman", "boxcar", "cosine", "exponential",
    "flattop", "hamming", "hann", "lanczos", "nuttall", "parzen", "taylor", "triang", "tukey",
]  # fmt: skip
"""The windows that SciPy makes from their name alone."""
Count = Annotated[int, msgspec.Meta(ge=1, le=1024)]
TensorName = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class ContractError(ValueError):
    """A contract that cannot be used; the message names the key and what is allowed."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    """A part of the contract: immutable, and unknown keys are errors."""


class Frontend(_Part, frozen=True):
    """From IQ to a mel spectrogram; the defaults are the preset `heimdall`. Frequencies in Hz."""

    sample_rate_hz: Annotated[float, msgspec.Meta(gt=0)] = 192_000.0
    signal: Literal["magnitude", "complex"] = "magnitude"
    n_fft: Annotated[int, msgspec.Meta(ge=16, le=65_536)] = 2048
    hop: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 512
    window: Window = "hann"
    n_mels: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 128
    f_min_hz: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    f_max_hz: Annotated[float, msgspec.Meta(gt=0)] = 96_000.0
    log: Literal["db", "ln"] = "db"
    floor: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1e-9
    normalize: Literal["receiver", "global", "none"] = "receiver"
    frames: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 32


class Receiver(_Part, frozen=True, omit_defaults=True):
    """One receiver, in tensor order. Degrees, WGS84."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None


class MelInput(_Part, frozen=True, tag_field="kind", tag="mel"):
    """IQ through the front-end: float32 (N, receivers, n_mels, frames)."""

    tensor: TensorName
    receivers: Count | tuple[Receiver, ...]
    frontend: Frontend
    one_receiver: Literal["repeat", "refuse"] = "repeat"


class IqInput(_Part, frozen=True, tag_field="kind", tag="iq"):
    """IQ as it is: float32 (N, receivers, samples, 2); `samples` None when that axis is dynamic."""

    tensor: TensorName
    receivers: Count | tuple[Receiver, ...]
    samples: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] | None
    sample_rate_hz: Annotated[float, msgspec.Meta(gt=0)]
    one_receiver: Literal["repeat", "refuse"] = "repeat"


class TensorInput(_Part, frozen=True, tag_field="kind", tag="tensor"):
    """Clients send the tensor."""

    tensor: TensorName


Input = MelInput | IqInput | TensorInput


class Position(_Part, frozen=True):
    """The tensor (N, 2) that holds latitude and longitude in degrees, and their order."""

    tensor: TensorName
    order: tuple[Axis, Axis]


class Uncertainty(_Part, frozen=True):
    """The tensor that holds the uncertainty.

    `sigma` (N, 2): two standard deviations; `sigma_rho` (N, 3): and their correlation;
    `covariance` (N, 3): var(order[0]), var(order[1]), cov. `sigma_scale` multiplies σ.
    """

    tensor: TensorName
    kind: Literal["sigma", "sigma_rho", "covariance"]
    units: Literal["degrees", "metres"]
    order: tuple[Direction, Direction]
    sigma_scale: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 1.0

    @property
    def width(self) -> int:
        """Values per row."""
        return 2 if self.kind == "sigma" else 3


class Output(_Part, frozen=True):
    """What the model answers. `confidence_radius_m` is the radius that `confidence` refers to."""

    position: Position
    uncertainty: Uncertainty
    confidence_radius_m: Annotated[float, msgspec.Meta(gt=0, le=20_100_000)] = 1000.0


class ModelContract(_Part, frozen=True):
    """The whole contract of one model version."""

    schema: Literal[1]
    input: Input
    output: Output

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON: part of every cache key."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    @property
    def receiver_count(self) -> int | None:
        """Receivers the model takes, or None for `kind: tensor`."""
        if isinstance(self.input, TensorInput):
            return None
        given = self.input.receivers
        return given if isinstance(given, int) else len(given)

    @property
    def receiver_ids(self) -> tuple[str, ...]:
        """Receivers' ids in tensor order; empty when the contract does not name them."""
        if isinstance(self.input, TensorInput) or isinstance(self.input.receivers, int):
            return ()
        return tuple(receiver.id for receiver in self.input.receivers)

    @property
    def sample_rate_hz(self) -> float | None:
        """The sample rate the model was trained at, or None for `kind: tensor`."""
        match self.input:
            case MelInput(frontend=frontend):
                return frontend.sample_rate_hz
            case IqInput(sample_rate_hz=rate):
                return rate
            case TensorInput():
                return None


def parse(document: bytes | str | dict[str, Any]) -> ModelContract:
    """Parse and check a contract.

    Raises:
        ContractError: malformed JSON, unknown key, wrong type or impossible value; names the key.
    """
    try:
        raw = document if isinstance(document, dict) else msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ContractError(f"contract is not valid JSON: {error}") from error
    except RecursionError as error:
        raise ContractError("contract is nested too deeply") from error
    try:
        contract = msgspec.convert(_with_preset(raw), ModelContract)
    except msgspec.ValidationError as error:
        raise ContractError(_readable(str(error))) from error
    _check(contract)
    return contract


def dump(contract: ModelContract) -> dict[str, Any]:
    """The contract as JSON-ready builtins; `parse(dump(c)) == c`."""
    built: dict[str, Any] = msgspec.to_builtins(contract)
    return built


def infer(inputs: dict[str, str], outputs: set[str]) -> ModelContract:
    """The contract of a model registered without one, where its graph leaves no doubt.

    Args:
        inputs: tensor name to ONNX element type, `float` for float32.
        outputs: tensor names.

    Raises:
        ContractError: the graph is not one float input with `positions` and `uncertainties`.
    """
    floats = [name for name, element in inputs.items() if element == "float"]
    if len(inputs) != 1 or len(floats) != 1 or not {"positions", "uncertainties"} <= outputs:
        raise ContractError(
            "no contract given, and none can be inferred: that needs exactly one float32 input and outputs "
            "`positions` and `uncertainties`, but the graph has "
            f"inputs {sorted(inputs)} and outputs {sorted(outputs)}"
        )
    return ModelContract(
        schema=1,
        input=TensorInput(tensor=floats[0]),
        output=Output(
            position=Position(tensor="positions", order=("latitude", "longitude")),
            uncertainty=Uncertainty(
                tensor="uncertainties", kind="sigma", units="degrees", order=("north", "east")
            ),
        ),
    )


def _with_preset(raw: Any) -> Any:
    """Replace `"frontend": "heimdall"` by the preset it names."""
    if isinstance(raw, dict) and isinstance(raw.get("input"), dict):
        frontend = raw["input"].get("frontend")
        if frontend == "heimdall":
            return {**raw, "input": {**raw["input"], "frontend": {}}}
        if isinstance(frontend, str):
            raise ContractError(f'input.frontend: unknown preset "{frontend}"; the one preset is "heimdall"')
    return raw


def _readable(message: str) -> str:
    """msgspec's `… - at `$.input.frontend.n_fft`` as `input.frontend.n_fft: …`."""
    text, found, path = message.partition(" - at `")
    return f"{path.rstrip('`').removeprefix('$.')}: {text}" if found else f"contract: {text}"


def _check(contract: ModelContract) -> None:
    """What types alone cannot say."""
    output = contract.output
    if set(output.position.order) != {"latitude", "longitude"}:
        raise ContractError("output.position.order: must name latitude and longitude once each")
    if set(output.uncertainty.order) != {"north", "east"}:
        raise ContractError("output.uncertainty.order: must name north and east once each")
    if output.position.tensor == output.uncertainty.tensor:
        raise ContractError("output.uncertainty.tensor: must not be the position's tensor")
    if isinstance(contract.input, TensorInput):
        return
    ids = contract.receiver_ids
    if contract.receiver_count == 0:
        raise ContractError("input.receivers: at least one receiver")
    if len(set(ids)) != len(ids):
        raise ContractError("input.receivers: every id must be there once only")
    if isinstance(contract.input, MelInput):
        _check_frontend(contract.input.frontend)


def _check_frontend(frontend: Frontend) -> None:
    limit = frontend.sample_rate_hz / (2 if frontend.signal == "magnitude" else 1)
    if frontend.hop > frontend.n_fft:
        raise ContractError(f"input.frontend.hop: at most n_fft ({frontend.n_fft}), got {frontend.hop}")
    if not frontend.f_min_hz < frontend.f_max_hz <= limit:
        raise ContractError(
            f"input.frontend.f_max_hz: must be above f_min_hz ({frontend.f_min_hz:g}) and at most {limit:g} "
            f'for signal "{frontend.signal}", got {frontend.f_max_hz:g}'
        )
