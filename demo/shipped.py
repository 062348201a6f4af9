"""What the demo ships: two model versions with their contracts, ten recordings, the evaluation's report.

Imports nothing beyond the standard library, so that `fixgate up` can register the models with little.
"""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLES = HERE / "samples"
TRUTH = SAMPLES / "truth.json"
SIGMF_SAMPLE = SAMPLES / "00.sigmf"
REPORT = HERE / "report"
FIGURES = REPORT / "evaluation.json"

MODEL_NAME = "localization"


@dataclass(frozen=True, slots=True)
class ShippedVersion:
    """One trained model; `description` goes into the registry."""

    number: int
    alias: str | None
    description: str

    @property
    def model(self) -> Path:
        """The ONNX file."""
        return HERE / "models" / f"{MODEL_NAME}-{self.number}.onnx"

    @property
    def contract(self) -> Path:
        """The contract it is registered with."""
        return HERE / "models" / f"{MODEL_NAME}-{self.number}.contract.json"


VERSIONS = (
    ShippedVersion(
        1,
        "champion",
        "Demo network, 117,000 parameters, trained on 40,000 simulated recordings.",
    ),
    ShippedVersion(
        2,
        None,
        "Demo network a fifth of version 1's size, trained on half as many recordings; a little worse.",
    ),
)


def sample_paths() -> tuple[Path, ...]:
    """The ten recordings, complex64 (3, 17920), in order."""
    return tuple(SAMPLES / f"{index:02d}.npy" for index in range(10))
