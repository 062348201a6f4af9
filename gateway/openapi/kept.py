"""What predictions leave behind, and what sync did: recent localisations, feedback, the journal, a reload."""

from typing import Any, get_args

from contract.deployment import Event
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
from gateway.uncertainty.calibration import LEVELS

_NUMBER = {"pattern": "^[0-9]+$"}
_ID = string("The prediction's id.", format="uuid")
_LATITUDE = number("North is positive.", unit="°", minimum=-90, maximum=90)
_LONGITUDE = number("East is positive.", unit="°", minimum=-180, maximum=180)
_LEVELS = ", ".join(map(str, LEVELS))

FEEDBACK_FIELD = record(
    "What the truths told by `POST /feedback` say of this version.",
    {
        "count": integer("Truths.", minimum=1),
        "mean_error_m": number("Mean distance of a truth from its prediction.", unit="m", minimum=0),
        "coverage": mapping(share("Share of the truths."), f"Inside the ellipse at {_LEVELS}."),
        "mean_nees": number("Mean squared Mahalanobis distance; 2 is right.", unit="1", minimum=0),
    },
)

SCHEMAS: dict[str, Schema] = {
    "Localizations": array(ref("Localization"), "Newest first."),
    "Localization": record(
        "One prediction whose frequency, SNR and receivers are known.",
        {
            "id": _ID,
            "session_id": string('As requested, else "unknown".'),
            "timestamp": moment("When it was answered."),
            "latitude": _LATITUDE,
            "longitude": _LONGITUDE,
            "uncertainty_m": number(
                "Radius about the position that holds the source with probability 0.68.", unit="m", minimum=0
            ),
            "confidence": share("As in the prediction."),
            "source_frequency_mhz": number("As requested.", unit="MHz", exclusiveMinimum=0),
            "snr_avg_db": number(
                "Mean over the receivers: power in the central 80 % of the band over the noise floor.",
                unit="dB",
            ),
            "websdr_count": integer("Receivers in the recording.", minimum=1),
        },
    ),
    "Truth": record(
        "Where the source of a prediction really was.",
        {
            "id": string("The prediction's id.", minLength=1, maxLength=64),
            "latitude": _LATITUDE,
            "longitude": _LONGITUDE,
        },
        additionalProperties=False,
    ),
    "FeedbackAnswer": record(
        "The prediction held against its truth.",
        {
            "id": _ID,
            "model": string("The model that made it."),
            "model_version": string("The version.", **_NUMBER),
            "error_m": number("Geodesic distance.", unit="m", minimum=0),
            "mahalanobis": number("The truth's distance from the position in σ.", unit="1", minimum=0),
            "inside": mapping(boolean("Whether."), f"In the ellipse at {_LEVELS}."),
        },
    ),
    "Feedback": FEEDBACK_FIELD,
    "Deployments": record(
        "A model's entries in the journal.",
        {"model": string("The model."), "deployments": array(ref("Deployment"), "Newest first.")},
    ),
    "Deployment": record(
        "What sync did.",
        {
            "timestamp": moment("When."),
            "event": string("What.", enum=list(get_args(Event))),
            "model": string("The model."),
            "version": string("The version.", **_NUMBER),
            "digest": string("SHA-256 of the published files."),
            "run_id": string("The run that logged it."),
            "alias": string("The alias that moved."),
            "previous": string("Where it pointed before.", **_NUMBER),
            "cause": string("What asked for it."),
            "by": string("Who."),
            "message": string("More of it."),
            "duration_s": number("How long it took.", unit="s", minimum=0),
        },
        optional=("version", "digest", "run_id", "alias", "previous", "cause", "by", "message", "duration_s"),
    ),
    "Reload": {
        "type": "object",
        "description": "What the default model must serve afterwards; otherwise 409.",
        "properties": {
            "version_id": {
                "description": "A version.",
                "anyOf": [
                    {"type": "string", "pattern": "^[0-9]{1,18}$"},
                    {"type": "integer", "minimum": 0, "x-unit": "1"},
                    {"type": "null"},
                ],
            },
            "stage": {"description": "A stage or an alias.", "type": ["string", "null"], "minLength": 1,
                      "maxLength": 256},
            "force": boolean("Changes nothing: every reload looks at everything anew.", default=False),
        },
        "additionalProperties": False,
    },
    "Reloaded": record(
        "Sync has looked at the registry, and what it says is served.",
        {
            "success": {"const": True, "description": "Always true; errors are problems."},
            "message": string("Sync's."),
            "previous_version": string("The champion before.", **_NUMBER),
            "new_version": string("The champion now.", **_NUMBER),
            "reload_time_ms": number("Time for all of it.", unit="ms", minimum=0),
            "requests_drained": integer(
                "Requests for the model that were under way here when it began; none was cut off.", minimum=0
            ),
            "timestamp": moment("When it was done."),
        },
        optional=("previous_version", "new_version"),
    ),
}  # fmt: skip

BODIES: dict[str, Any] = {
    name: {"application/json": {"schema": ref(name), "example": example}}
    for name, example in (
        ("Truth", {"id": "0197c2d4-6f1e-7c3a-8d10-3b1f0c9e5a77", "latitude": 45.102, "longitude": 7.607}),
        ("Reload", {"version_id": "4"}),
    )
}
