"""What is served and how this gateway fares: models, versions, contracts, health."""

from typing import Any

import msgspec

from contract.catalog import TensorSpec
from contract.model import ModelContract
from gateway.openapi.schema import (
    Schema,
    array,
    boolean,
    integer,
    mapping,
    moment,
    number,
    record,
    ref,
    share,
    string,
)

PREFIX = "contract."
"""Of the components that describe a model contract."""

_DIGEST = {"pattern": "^[0-9a-f]{64}$"}
_NUMBER = {"pattern": "^[0-9]+$"}
_MILLISECONDS = number("Milliseconds.", unit="ms", minimum=0)
_METRIC = number("As logged.", unit="as logged")

VERSION_FIELDS: dict[str, Schema] = {
    "model": string("The model's name."),
    "version": string("As MLflow numbers it.", **_NUMBER),
    "aliases": array(string("An alias."), "Aliases that point to it."),
    "share": share("Its share of the requests that pin no version."),
    "digest": string("SHA-256 of the published files.", **_DIGEST),
    "contract_digest": string("SHA-256 of the contract.", **_DIGEST),
    "contract": ref(PREFIX + "ModelContract"),
    "sigma_scale": number("Multiplies every σ.", unit="1", exclusiveMinimum=0),
    "max_batch_size": integer("Rows in one call to Triton.", minimum=1),
    "inputs": array(ref(PREFIX + "TensorSpec"), "Input tensors."),
    "outputs": array(ref(PREFIX + "TensorSpec"), "Output tensors."),
    "created_at": moment("When it was registered."),
    "served_since": moment("When it was published."),
    "stage": string("MLflow 2 stage."),
    "mlflow_run_id": string("The run that logged it."),
    "mlflow_run_url": string("That run in MLflow's pages."),
    "metrics": mapping(_METRIC, "Metrics of that run."),
    "latency_ms": mapping(_MILLISECONDS, "Time of one call by batch size, measured before publishing."),
}
VERSION_FIELDS["feedback"] = ref("Feedback")
_OPTIONAL = ("feedback", "stage", "mlflow_run_id", "mlflow_run_url", "metrics", "latency_ms")

MODEL = record(
    "One model.",
    {
        "name": string("Its name."),
        "default": boolean("Whether requests that name no model go here."),
        "aliases": mapping(string("A version.", **_NUMBER), "Alias to version."),
        "shares": mapping(share("Its share."), "Version to its share of the requests that pin none."),
        "versions": array(ref("Version"), "Ascending."),
    },
)
INFO = record(
    "The default model and what this gateway process has done with it since it started.",
    {
        "name": string("The model."),
        "model_name": string("The same as `name`."),
        "version": string("The version with the largest share.", **_NUMBER),
        "active_version": string("The same as `version`.", **_NUMBER),
        "stage": string("MLflow 2 stage, else the first alias."),
        "aliases": array(string("An alias."), "Aliases of that version."),
        "created_at": moment("When it was registered."),
        "loaded_at": moment("When it was published."),
        "last_reloaded": moment("The same as `loaded_at`."),
        "uptime_seconds": number("Of this gateway.", unit="s", minimum=0),
        "status": string("Whether traffic should come.", enum=["ready", "not_ready"]),
        "is_ready": boolean("The same as true or false."),
        "health_status": string(
            "degraded: answers, but without the catalogue's feed or the shared cache.",
            enum=["healthy", "degraded", "unhealthy"],
        ),
        "inference_count": integer("Predictions answered.", minimum=0),
        "predictions_total": integer("Predictions asked for.", minimum=0),
        "predictions_successful": integer("Those answered.", minimum=0),
        "predictions_failed": integer("Those not.", minimum=0),
        "digest": string("SHA-256 of the published files.", **_DIGEST),
        "contract_digest": string("SHA-256 of the contract.", **_DIGEST),
        "contract": ref(PREFIX + "ModelContract"),
        "accuracy": share("As logged with the version."),
        "training_samples": number("As logged with the version.", unit="1", minimum=0),
        "mlflow_run_id": string("The run that logged it."),
        "avg_latency_ms": number("Mean time of a prediction.", unit="ms", minimum=0),
        "latency_p95_ms": number("95 of 100 lately took no longer.", unit="ms", minimum=0),
        "cache_hit_rate": share("Share from the cache among those that asked it."),
        "last_prediction_at": moment("When the last one was answered."),
    },
    optional=(
        "accuracy",
        "training_samples",
        "mlflow_run_id",
        "avg_latency_ms",
        "latency_p95_ms",
        "cache_hit_rate",
        "last_prediction_at",
    ),
)
PERFORMANCE = record(
    "How the default model fares in this gateway process. Latencies are of the newest predictions.",
    {
        "model_name": string("The model."),
        "active_version": string("The version with the largest share.", **_NUMBER),
        "inference_latency_ms": number("Mean; 0 before the first prediction.", unit="ms", minimum=0),
        "p50_latency_ms": number("Half took no longer.", unit="ms", minimum=0),
        "p95_latency_ms": number("95 of 100 took no longer.", unit="ms", minimum=0),
        "p99_latency_ms": number("99 of 100 took no longer.", unit="ms", minimum=0),
        "throughput_samples_per_second": number(
            "Predictions a second in the last minute.", unit="1/s", minimum=0
        ),
        "cache_hit_rate": share("Share from the cache among those that asked it."),
        "success_rate": share("Share of the recordings that got a prediction; 1 before the first."),
        "predictions_total": integer("Predictions asked for.", minimum=0),
        "predictions_successful": integer("Those answered.", minimum=0),
        "predictions_failed": integer("Those not.", minimum=0),
        "requests_total": integer("Requests for predictions; a batch is one.", minimum=0),
        "errors_total": integer("Requests that were answered with an error as a whole.", minimum=0),
        "window_predictions": integer("How many predictions the latencies are of.", minimum=0),
        "window_seconds": number("Age of the oldest of them.", unit="s", minimum=0),
        "uptime_seconds": number("Of this gateway.", unit="s", minimum=0),
        "timestamp": moment("When this was read."),
    },
)
_UP = string("Whether it answers.", enum=["up", "down"])
_CATALOGUE = record(
    "The catalogue that this gateway goes by.",
    {
        "status": string("Whether there is one.", enum=["known", "missing"]),
        "following": boolean("Whether it hears of new ones."),
        "revision": integer("Only grows.", minimum=0),
        "source": string("Where it came from."),
        "age_s": number("Since it was written.", unit="s"),
    },
    optional=("revision", "source", "age_s"),
)
DETAILED = record(
    "Each dependency.",
    {
        "status": string("healthy while ready.", enum=["healthy", "unhealthy"]),
        "ready": boolean("Whether traffic should come."),
        "missing": array(string("A thing."), "What is missing."),
        "draining": boolean("Whether this gateway is about to stop."),
        "dependencies": record(
            "What this gateway works with.",
            {
                "catalogue": _CATALOGUE,
                "redis_cache": record("The shared cache.", {"status": _UP}),
                "triton": array(
                    record("One Triton.", {"address": string("host:port."), "status": _UP}), "Every Triton."
                ),
            },
        ),
    },
)


def _contract() -> dict[str, Schema]:
    """The contract's own types, by the code that reads contracts."""
    _, found = msgspec.json.schema_components(
        [ModelContract, TensorSpec], ref_template=f"#/components/schemas/{PREFIX}{{name}}"
    )
    return {PREFIX + name: _tidy(schema) for name, schema in found.items()}


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the title, which repeats the name; the docstring as running text."""
    kept = {name: value for name, value in schema.items() if name != "title"}
    kept["description"] = " ".join(schema.get("description", "").split())
    return kept


SCHEMAS: dict[str, Schema] = {
    "Models": record(
        "Everything that is served.",
        {
            "revision": integer("The catalogue's; only grows.", minimum=0),
            "models": array(ref("Model"), "By name."),
        },
    ),
    "Model": MODEL,
    "Version": record("One served version.", VERSION_FIELDS, optional=_OPTIONAL),
    "Versions": record(
        "The default model's versions.",
        {
            "model_name": string("The model."),
            "active_version": string("The one with the largest share.", **_NUMBER),
            "versions": array(ref("Version"), "Ascending."),
        },
    ),
    "ModelInfo": INFO,
    "ModelPerformance": PERFORMANCE,
    "Service": record("What this is.", {"service": string("Its name."), "about": string("What it does.")}),
    "Health": record(
        "Alive.",
        {"status": {"const": "healthy"}, "uptime_seconds": number("Of this gateway.", unit="s", minimum=0)},
    ),
    "HealthDetailed": DETAILED,
    "Ready": record("Traffic may come.", {"status": {"const": "ready"}}),
    "Started": record("It has been ready once, and stays.", {"status": {"const": "started"}}),
    **_contract(),
}
