"""What one served version makes of a recording: a canonical input, its key, its row, its lane to Triton."""

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.catalog import Catalog, ServedVersion
from contract.model import ContractError, MelInput, Output
from gateway.cache.fixes import KeyMaker
from gateway.domain import DEFAULT_LEVEL, Fix, Float, Lane, PredictRequest
from gateway.errors import BadAnswer
from gateway.prediction import derive_ahead
from gateway.recordings.conform import conform, tensor_shape
from gateway.recordings.frontend import mel_frontend

Canonical = NDArray[Any]
"""As `conform` gives it: complex64 (receivers, samples) for the front-end, or the float32 tensor itself."""


_SHAPES = 64
"""Shapes of rows whose lanes are kept: recordings may have any length."""


class Pipeline:
    """Made once per version and catalogue.

    Raises:
        BadAnswer: the version's contract cannot be carried out.
    """

    def __init__(self, model: str, version: ServedVersion) -> None:
        contract = version.contract
        self.model = model
        self.version = version
        self.keys = KeyMaker(version.digest, contract.digest)
        self._shape = tensor_shape(contract, version.inputs)
        self._lanes: dict[tuple[int, ...], Lane] = {}
        try:
            self._mel = (
                mel_frontend(contract.input.frontend) if isinstance(contract.input, MelInput) else None
            )
        except ContractError as error:
            raise BadAnswer(f'model "{model}" version {version.version}: {error}') from error

    def canonical(self, request: PredictRequest) -> Canonical:
        """The recording as this version takes it.

        Raises:
            InvalidInput: it does not fit the contract.
        """
        return conform(request.recording, request.options, self.version.contract, self._shape)

    def costly(self, canonical: Canonical) -> bool:
        """Whether `row` takes long enough to need a thread."""
        return self._mel is not None and np.iscomplexobj(canonical)

    def row(self, canonical: Canonical) -> Float:
        """One row of the model's input tensor, float32. Safe to call from many threads.

        Raises:
            InvalidInput: too few samples.
        """
        if self._mel is None or not np.iscomplexobj(canonical):
            row: Float = canonical
            return row
        return self._mel(canonical)

    def lane(self, row: Float) -> Lane:
        """Where the row travels."""
        lane = self._lanes.get(row.shape)
        if lane is None:
            contract = self.version.contract
            lane = _lane(self.model, self.version.version, contract.input.tensor, row.shape, contract.output)
            if len(self._lanes) < _SHAPES:
                self._lanes[row.shape] = lane
        return lane

    def describe(self, fixes: Iterable[Fix]) -> None:
        """Work out together what most of these fixes' requests will want to know of them."""
        derive_ahead(
            fixes,
            sigma_scale=self.version.sigma_scale,
            level=DEFAULT_LEVEL,
            radius_m=self.version.contract.output.confidence_radius_m,
        )


def make_frontends(catalog: Catalog) -> None:
    """Have every front-end of a catalogue made before a request needs it: the first one takes seconds."""
    for model in catalog.models.values():
        for version in model.versions:
            if isinstance(version.contract.input, MelInput):
                with suppress(Exception):  # its own requests will be told; no other version's are concerned
                    mel_frontend(version.contract.input.frontend)


@lru_cache(maxsize=1024)
def _lane(model: str, version: int, tensor: str, shape: tuple[int, ...], output: Output) -> Lane:
    """One object for all that travel together, whichever revision of the catalogue they come from."""
    return Lane(model, version, tensor, shape, output)
