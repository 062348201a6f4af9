"""An evaluation as JSON and as metrics. Metres; shares of one."""

import json
from typing import Any

from cli.evaluation.judge import Evaluation
from gateway.uncertainty.calibration import Summary


def document(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON-ready builtins; metres, and shares of one."""
    built: dict[str, Any] = {
        "calibrated": evaluation.overall.calibrated,
        **_summary(evaluation.overall),
        "failed": sum(evaluation.failures.values()),
        "failures": evaluation.failures,
        "sigma_scale": evaluation.sigma_scale,
        "regions": {name: _summary(one) for name, one in evaluation.regions.items()},
    }
    if evaluation.fit is not None:
        fit = evaluation.fit
        built["fit"] = {
            "scale": fit.scale,
            "fitted_on": fit.fitted_on,
            "worst_miss_before": fit.before,
            "worst_miss_after": fit.after,
        }
    return built


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "recordings": summary.count,
        "error_m": {
            "mean": summary.mean_error_m,
            **{f"p{percentile}": error for percentile, error in summary.percentiles_m.items()},
        },
        "coverage": [
            {
                "level": one.level,
                "share": one.share,
                "interval": list(one.interval),
                "off": one.off,
            }
            for one in summary.coverage
        ],
        "nees": summary.nees,
        "median_r95_m": summary.median_r95_m,
        "median_area95_m2": summary.median_area95_m2,
    }


def metrics(evaluation: Evaluation) -> dict[str, float]:
    """The evaluation's figures by name, for a registry: `fixgate/coverage_68` and the like."""
    overall = evaluation.overall
    figures = {
        "recordings": overall.count,
        "error_mean_m": overall.mean_error_m,
        **{f"error_p{percentile}_m": error for percentile, error in overall.percentiles_m.items()},
        **{f"coverage_{one.level * 100:.0f}": one.share for one in overall.coverage},
        "nees": overall.nees,
        "median_r95_m": overall.median_r95_m,
        "sigma_scale": evaluation.sigma_scale,
    }
    return {f"fixgate/{name}": float(value) for name, value in figures.items()}


def brief(built: dict[str, Any]) -> str:
    """The verdict, the coverage and the median error as compact JSON: it fits into a tag."""
    kept = {
        "calibrated": built["calibrated"],
        "recordings": built["recordings"],
        "coverage": {f"{one['level']:g}": round(one["share"], 4) for one in built["coverage"]},
        "error_p50_m": round(built["error_m"]["p50"], 3),
        "sigma_scale": built["sigma_scale"],
        "fitted": "fit" in built,
    }
    return json.dumps(kept, separators=(",", ":"))
