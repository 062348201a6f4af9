"""What is remembered, as JSON: recent localisations, feedback, the journal. Optional fields are absent."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from contract.deployment import Deployment
from gateway.kept.feedback import Kept, Outcome
from gateway.kept.localization import Localization
from gateway.wire.problem import timestamp


def localization_document(one: Localization) -> dict[str, Any]:
    """One recent localisation as Heimdall's dashboard reads it."""
    return _timed(msgspec.to_builtins(one))


def feedback_document(one: Kept, outcome: Outcome) -> dict[str, Any]:
    """What a truth said of a prediction."""
    return {
        "id": one.id,
        "model": one.model,
        "model_version": str(one.version),
        "error_m": outcome.error_m,
        "mahalanobis": outcome.mahalanobis,
        "inside": {str(level): held for level, held in outcome.inside.items()},
    }


def deployment_document(entry: Deployment) -> dict[str, Any]:
    """One entry of the journal."""
    document = _timed(msgspec.to_builtins(entry))
    for name in ("version", "previous"):
        if name in document:
            document[name] = str(document[name])
    return {name: value for name, value in document.items() if value not in (None, "")}


def _timed(document: dict[str, Any]) -> dict[str, Any]:
    """With its time as the API writes times."""
    moment = timestamp(datetime.fromtimestamp(document.pop("at"), UTC))
    return {"timestamp": moment, **document}
