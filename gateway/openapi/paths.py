"""Every path and method that the gateway answers: one entry each. app.py's ROUTES has the same ones."""

from gateway.access.key_file import Scope
from gateway.openapi import bodies, control, examples, kept, parameters, rollout, watched
from gateway.openapi.operation import Answer, Operation, answer, content
from gateway.wire.geojson import MEDIA_TYPE as GEOJSON
from gateway.wire.problem import MEDIA_TYPE as PROBLEM

PREDICT, MODELS, OPERATIONS_TAG = "Predict", "Models", "Operations"

TAGS: dict[str, str] = {
    PREDICT: "Recordings in, positions and uncertainty ellipses out. The default model answers, or the one "
    "in the path; a version or an alias in the path pins it, otherwise traffic is routed by weights.",
    MODELS: "What is served.",
    control.TAG: control.ABOUT,
    watched.CONSOLE: watched.ABOUT,
    OPERATIONS_TAG: "Whether it runs, and how well.",
}

_HEADERS = tuple(parameters.reference("header", name) for name in parameters.IN_HEADER)
_PREDICTED = ("X-Model-Version", "X-Fallback-From", "X-Cache", "Server-Timing")
_PREDICT_PROBLEMS = (400, 404, 408, 413, 415, 502, 503, 504)
_WHERE_OPTIONS = "Options are in the query string, but those of a JSON request are in its body."
_TARGETS = {
    "": "the default model",
    "/models/{model}": "the named model",
    "/models/{model}/versions/{version}": "one version",
    "/models/{model}/aliases/{alias}": "the version that an alias points to",
}


def _predicted(schema: str, example: object) -> Answer:
    found = answer("Answered.", schema, example, headers=_PREDICTED)
    found["content"][GEOJSON] = content("FeatureCollection", examples.feature_collection())
    return found


def _predict(prefix: str, whom: str) -> Operation:
    return Operation(
        "POST",
        f"{prefix}/predict",
        f"One recording to one fix, by {whom}",
        PREDICT,
        Scope.PREDICT,
        answers={200: _predicted("Prediction", examples.prediction())},
        problems=_PREDICT_PROBLEMS,
        description=f"{_WHERE_OPTIONS} `Accept: application/geo+json` answers with GeoJSON alone.",
        takes=(*_HEADERS, *(parameters.reference("query", name) for name in parameters.PREDICT_QUERY)),
        body=bodies.PREDICT,
    )


def _predict_batch(prefix: str, whom: str) -> Operation:
    return Operation(
        "POST",
        f"{prefix}/predict/batch",
        f"1 to 100 recordings to their fixes, by {whom}",
        PREDICT,
        Scope.PREDICT,
        answers={200: _predicted("BatchAnswer", examples.batch())},
        problems=_PREDICT_PROBLEMS,
        description=f"{_WHERE_OPTIONS} Order is kept; a recording that fails is its error, in its place, "
        "unless `continue_on_error` is false. With `Accept: application/geo+json` those are left out.",
        takes=(*_HEADERS, *(parameters.reference("query", name) for name in parameters.BATCH_QUERY)),
        body=bodies.BATCH,
    )


_NOT_READY = answer("Not ready; or too many requests, as a problem.", "HealthDetailed")
_NOT_READY["content"][PROBLEM] = content("Problem")

OPERATIONS: tuple[Operation, ...] = (
    *(make(prefix, whom) for prefix, whom in _TARGETS.items() for make in (_predict, _predict_batch)),
    Operation(
        "GET",
        "/models",
        "Every model with its versions",
        MODELS,
        Scope.READ,
        answers={200: answer("The catalogue.", "Models", {"revision": 7, "models": [examples.model()]})},
        problems=(503,),
    ),
    Operation(
        "GET",
        "/models/{model}",
        "One model with its versions",
        MODELS,
        Scope.READ,
        answers={200: answer("The model.", "Model", examples.model())},
        problems=(404, 503),
    ),
    Operation(
        "GET",
        "/models/{model}/versions/{version}",
        "One version: contract, digests, tensors",
        MODELS,
        Scope.READ,
        answers={200: answer("The version.", "Version", examples.version())},
        problems=(400, 404, 503),
    ),
    Operation(
        "GET",
        "/model/info",
        "The default model and what this gateway has done with it",
        MODELS,
        Scope.READ,
        answers={200: answer("The model.", "ModelInfo", examples.info())},
        problems=(503,),
    ),
    Operation(
        "GET",
        "/model/versions",
        "The default model's versions",
        MODELS,
        Scope.READ,
        answers={
            200: answer(
                "The versions.",
                "Versions",
                {"model_name": "localization", "active_version": "3", "versions": [examples.version()]},
            )
        },
        problems=(503,),
    ),
    Operation(
        "GET",
        "/model/performance",
        "How the default model fares in this gateway",
        MODELS,
        Scope.READ,
        answers={200: answer("Latencies, rates, counts.", "ModelPerformance", examples.performance())},
        problems=(503,),
    ),
    Operation(
        "POST",
        "/model/reload",
        "Look at the registry now",
        MODELS,
        Scope.ADMIN,
        answers={200: answer("Done.", "Reloaded")},
        problems=(400, 408, 409, 413, 415, 503),
        description="Sync loads what the registry says and answers when it is served.",
        takes=(parameters.reference("header", "X-Request-Timeout-Ms"),),
        body=kept.BODIES["Reload"],
    ),
    Operation(
        "GET",
        "/models/{model}/deployments",
        "What sync did to a model",
        MODELS,
        Scope.READ,
        answers={200: answer("The journal's newest entries.", "Deployments")},
        problems=(400, 404, 503),
        takes=(parameters.reference("query", "limit"),),
    ),
    *control.OPERATIONS,
    *rollout.OPERATIONS,
    Operation(
        "GET",
        "/localizations/recent",
        "The newest localisations",
        PREDICT,
        Scope.READ,
        answers={200: answer("Predictions whose frequency and SNR are known.", "Localizations")},
        problems=(400, 503),
        takes=(parameters.reference("query", "limit"),),
    ),
    Operation(
        "POST",
        "/feedback",
        "Tell where the source of a prediction really was",
        PREDICT,
        Scope.PREDICT,
        answers={200: answer("How far off it was.", "FeedbackAnswer")},
        problems=(400, 404, 408, 409, 413, 415, 503),
        body=kept.BODIES["Truth"],
    ),
    Operation(
        "GET",
        "/health",
        "Whether the process lives",
        OPERATIONS_TAG,
        None,
        answers={200: answer("It does.", "Health", {"status": "healthy", "uptime_seconds": 86400.0})},
    ),
    Operation(
        "GET",
        "/health/detailed",
        "Each dependency",
        OPERATIONS_TAG,
        Scope.READ,
        answers={200: answer("Ready.", "HealthDetailed"), 503: _NOT_READY},
    ),
    Operation(
        "GET",
        "/ready",
        "Whether traffic should come here",
        OPERATIONS_TAG,
        None,
        answers={200: answer("It should.", "Ready", {"status": "ready"})},
        problems=(503,),
    ),
    Operation(
        "GET",
        "/startup",
        "Whether it has been ready once, and stays",
        OPERATIONS_TAG,
        None,
        answers={200: answer("It has.", "Started", {"status": "started"})},
        problems=(503,),
    ),
    Operation(
        "GET",
        "/metrics",
        "Prometheus' metrics",
        OPERATIONS_TAG,
        Scope.READ,
        answers={200: answer("Metrics.", "Text", media_type="text/plain")},
    ),
    *watched.OPERATIONS,
    Operation(
        "GET",
        "/openapi.json",
        "This document",
        OPERATIONS_TAG,
        None,
        answers={200: answer("OpenAPI 3.1.", "Document")},
    ),
    Operation(
        "GET",
        "/docs",
        "This document to read",
        OPERATIONS_TAG,
        None,
        answers={200: answer("A page.", "Text", media_type="text/html")},
    ),
    Operation(
        "GET",
        "/",
        "What this service is",
        OPERATIONS_TAG,
        None,
        answers={200: answer("Its name.", "Service")},
    ),
)
