"""`python -m demo.build`: simulate, train, export, calibrate, evaluate, and write all that the demo ships.

Needs the extra `demo`. About fifteen minutes on two cores. Everything is drawn from fixed seeds.
"""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import contract.model
from demo import page, pictures
from demo.baselines import tuned_exponent
from demo.contracts import model_contract
from demo.dataset import SEEDS, Dataset, simulate_many
from demo.evaluation import Evaluation, Sizes, evaluate, figures
from demo.recordings import write_samples
from demo.scene import SCENE
from demo.shipped import FIGURES, REPORT, SAMPLES, VERSIONS
from demo.train import Recipe, export, parameter_count, pooled, train

logger = logging.getLogger("demo")

RECIPES = (
    Recipe(seed=1, recordings=40_000, code=32, width=128, depth=2, epochs=30),
    Recipe(seed=2, recordings=20_000, code=16, width=48, depth=1, epochs=30),
)
SIZES = Sizes()


def main() -> None:
    """Build it all; progress on the log."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    logger.setLevel(logging.INFO)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    write_samples(SAMPLES)
    count = max(recipe.recordings for recipe in RECIPES)
    logger.info("simulating %d training recordings", count)
    training = simulate_many(SCENE, SEEDS.training, count, pooled)
    about = [_train(number, training) for number in range(len(RECIPES))]
    exponent = tuned_exponent(training.levels_dbfs, training.positions)
    logger.info("simulating %d recordings to calibrate and evaluate on", SIZES.total)
    evaluation = evaluate(tuple(version.model for version in VERSIONS), exponent, SIZES)
    for version, scale in zip(VERSIONS, evaluation.sigma_scales, strict=True):
        document = contract.model.dump(model_contract(scale))
        _write_json(version.contract, document)
    _report(evaluation, about, exponent)


def _train(number: int, training: Dataset) -> dict[str, Any]:
    """Train and export one version; what to say about it."""
    recipe, version = RECIPES[number], VERSIONS[number]
    logger.info("training version %d", version.number)
    head = train(recipe, training)
    version.model.parent.mkdir(exist_ok=True)
    export(head, version.model)
    return {
        "version": version.number,
        "model": version.model.name,
        "description": version.description,
        "parameters": parameter_count(head),
        "bytes": version.model.stat().st_size,
        "training_recordings": recipe.recordings,
        "training_seed": recipe.seed,
    }


def _report(evaluation: Evaluation, about: list[dict[str, Any]], exponent: float) -> None:
    """Write the figures, the pictures and the page."""
    measured = figures(evaluation, about, exponent) | {
        "recordings": {"training": max(recipe.recordings for recipe in RECIPES), **asdict(SIZES)}
    }
    REPORT.mkdir(exist_ok=True)
    _write_json(FIGURES, measured)
    drawn = {
        "fixes_map": pictures.first_fixes(evaluation.test),
        "errors": pictures.error_curves(evaluation.test),
        "reliability": pictures.reliability(evaluation.test, evaluation.harder),
    }
    for name, svg in drawn.items():
        (REPORT / f"{name.replace('_', '-')}.svg").write_text(svg)
    (REPORT / "index.html").write_text(page.render(measured, **drawn))
    for version, bars in zip(measured["versions"], measured["bars"], strict=True):
        logger.info("version %s: %s", version["version"], json.dumps(bars))


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
