"""The values that travel through the request path: frozen, checked where they are made."""

from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from contract.model import Output
from gateway.errors import FixgateError

Complex = NDArray[np.complex64]
Float = NDArray[np.float32]


DEFAULT_LEVEL = 0.68
"""Confidence level of an ellipse where none is asked for."""


class Options(msgspec.Struct, frozen=True):
    """What a client may ask for besides the samples; `confidence_level` in (0, 1)."""

    sample_rate_hz: float | None = None
    frequency_mhz: float | None = None
    session_id: str | None = None
    cache_enabled: bool = True
    confidence_level: float = DEFAULT_LEVEL
    receiver_ids: tuple[str, ...] | None = None
    geojson: bool = False


class Recording(msgspec.Struct, frozen=True, eq=False):
    """One recording as a client sent it; exactly one of `iq` and `features` is given.

    iq: complex64 (receivers, samples), finite, 1.0 = full scale.
    features: float32, the model's input tensor without the batch axis; flat (1-D) when the form carries
        no shape, which the contract then gives.
    """

    iq: Complex | None = None
    features: Float | None = None
    sample_id: str | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that its samples take in memory."""
        held = self.iq if self.features is None else self.features
        return 0 if held is None else held.nbytes


class PredictRequest(msgspec.Struct, frozen=True, eq=False):
    """One request for one fix."""

    recording: Recording
    options: Options


class BatchRequest(msgspec.Struct, frozen=True, eq=False):
    """1 to 100 recordings for one version; an item that could not be parsed is its error, in its place.

    sample_ids: the client's names of the items, as far as given; also of those that could not be parsed.
    """

    items: tuple[PredictRequest | FixgateError, ...]
    continue_on_error: bool = True
    sample_ids: tuple[str | None, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes that all samples take in memory."""
        return sum(item.recording.nbytes for item in self.items if isinstance(item, PredictRequest))

    def sample_id(self, place: int) -> str:
        """The client's name of an item, or its place."""
        given = self.sample_ids[place] if place < len(self.sample_ids) else None
        return str(place) if given is None else given


class Covariance(msgspec.Struct, frozen=True):
    """A 2x2 covariance on the local east-north plane, in m²; positive definite."""

    var_east: float
    var_north: float
    cov: float

    def scaled(self, sigma_scale: float) -> "Covariance":
        """The covariance after every σ is multiplied by `sigma_scale`."""
        square = sigma_scale * sigma_scale
        return Covariance(self.var_east * square, self.var_north * square, self.cov * square)


class Fix(msgspec.Struct, frozen=True):
    """A position (degrees, WGS84, longitude in [-180, 180)) and its covariance."""

    latitude: float
    longitude: float
    covariance: Covariance

    def scaled(self, sigma_scale: float) -> "Fix":
        """The fix after every σ is multiplied by `sigma_scale`."""
        if sigma_scale == 1:
            return self
        return Fix(self.latitude, self.longitude, self.covariance.scaled(sigma_scale))


class Lane(msgspec.Struct, frozen=True, eq=False):
    """What rows must have in common to travel to Triton in one call: version, input tensor, a row's shape.

    Lanes are told apart by identity, which costs nothing: `Pipeline.lane` gives the same one for the same.
    """

    model: str
    version: int
    tensor: str
    shape: tuple[int, ...]
    output: Output


class RawOutputs(NamedTuple):
    """A model's answer to N rows, unchecked: the position's tensor and the uncertainty's."""

    positions: NDArray[Any]
    uncertainties: NDArray[Any]
