"""What the demo models' tensors mean: the contract they are registered with."""

from contract.model import (
    Frontend,
    MelInput,
    ModelContract,
    Output,
    Position,
    Uncertainty,
)
from demo.scene import RECEIVERS

INPUT, POSITIONS, UNCERTAINTIES = "mel_spectrogram", "positions", "uncertainties"

# The preset, except that levels are normalised over all receivers: how they differ is what tells the place.
FRONTEND = Frontend(normalize="global")

CONFIDENCE_RADIUS_M = 10_000.0


def model_contract(sigma_scale: float) -> ModelContract:
    """The contract of a demo model whose σ must be multiplied by `sigma_scale`."""
    return ModelContract(
        schema=1,
        input=MelInput(tensor=INPUT, receivers=RECEIVERS, frontend=FRONTEND, one_receiver="refuse"),
        output=Output(
            position=Position(tensor=POSITIONS, order=("latitude", "longitude")),
            uncertainty=Uncertainty(
                tensor=UNCERTAINTIES,
                kind="sigma_rho",
                units="metres",
                order=("north", "east"),
                sigma_scale=sigma_scale,
            ),
            confidence_radius_m=CONFIDENCE_RADIUS_M,
        ),
    )
