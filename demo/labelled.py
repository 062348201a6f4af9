"""The demo's test recordings as a labelled set for `fixgate evaluate`.

python -m demo.labelled FOLDER: writes `truth.npy`, degrees, and `features.npy`, the model's input tensor.
"""

import argparse
from pathlib import Path

import numpy as np

from demo.dataset import SEEDS, Features, simulate_many
from demo.scene import HARDER_SCENE, SCENE

COUNT = 12_000


def main(arguments: list[str] | None = None) -> None:
    """Write the set and say where."""
    parser = argparse.ArgumentParser(prog="python -m demo.labelled", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=COUNT, help=f"recordings (default {COUNT:,})")
    parser.add_argument("--harder", action="store_true", help="the scene that the model was not trained for")
    chosen = parser.parse_args(arguments)
    if chosen.count < 1:
        parser.error(f"--count must be at least 1, got {chosen.count}")
    scene, seed = (HARDER_SCENE, SEEDS.harder) if chosen.harder else (SCENE, SEEDS.test)
    data = simulate_many(scene, seed, chosen.count, _whole)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    np.save(chosen.folder / "features.npy", data.reduced)
    np.save(chosen.folder / "truth.npy", data.positions)
    print(f"{chosen.count:,} recordings in {chosen.folder}")


def _whole(features: Features) -> Features:
    return features


if __name__ == "__main__":
    main()
