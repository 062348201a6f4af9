"""Rollouts: a version's share of the traffic, raised step by step."""

from typing import Any, get_args

from contract.rollout import MAX_EVERY_S, MAX_STEPS, MIN_EVERY_S, Phase
from gateway.access.key_file import Scope
from gateway.openapi.control import COMMAND_PROBLEMS, TAG, TIMEOUT
from gateway.openapi.operation import Operation, answer
from gateway.openapi.schema import (
    Schema,
    array,
    boolean,
    integer,
    moment,
    number,
    or_null,
    record,
    ref,
    share,
    string,
)

_NUMBER = {"pattern": "^[0-9]+$"}
_SHARES = array(
    number("A share.", unit="%", exclusiveMinimum=0, maximum=100),
    "Ascending.",
    minItems=1,
    maxItems=MAX_STEPS,
)
_EVERY = number("Time that a step takes at least.", unit="s", minimum=MIN_EVERY_S, maximum=MAX_EVERY_S)
_GUARDS: Schema = {
    "type": "object",
    "description": "What must hold in every step; null: does not matter.",
    "properties": {
        "max_error_rate": or_null(share("Of the version's requests.", default=0.01)),
        "max_p95_ms": or_null(number("Of its answers.", unit="ms", exclusiveMinimum=0, default=500)),
        "max_shift": or_null(
            number(
                "Median distance between both models' fixes of the same recordings, as a multiple of the "
                "champion's median 1 σ semi-major axis.",
                unit="1",
                exclusiveMinimum=0,
                default=0.5,
            )
        ),
        "min_requests": integer(
            "Answered by the version in a step before it is judged.",
            minimum=1,
            maximum=1_000_000_000,
            default=200,
        ),
    },
    "additionalProperties": False,
}
SCHEMAS: dict[str, Schema] = {
    "RolloutPlan": {
        "type": "object",
        "description": "The version that is to take the traffic, and how.",
        "properties": {
            "version": {
                "description": "A registered one.",
                "anyOf": [
                    {"type": "string", "pattern": "^[0-9]{1,18}$"},
                    {"type": "integer", "minimum": 1, "x-unit": "1"},
                ],
            },
            "steps": {**_SHARES, "default": [1, 5, 25, 50, 100]},
            "every_s": {**_EVERY, "default": 300},
            "guards": _GUARDS,
        },
        "required": ["version"],
        "additionalProperties": False,
    },
    "RolloutChange": {
        "type": "object",
        "description": "What is to become of it.",
        "properties": {
            "action": string("pause: stay at the present share; resume: go on.", enum=["pause", "resume"])
        },
        "required": ["action"],
        "additionalProperties": False,
    },
    "Rollout": record(
        "The newest rollout.",
        {
            "id": string("Its id."),
            "model": string("The model."),
            "version": string("The version that it is about.", **_NUMBER),
            "champion": string("The champion that it began beside.", **_NUMBER),
            "phase": string(
                "waiting: for the version to be served; promoted, aborted, failed: ended.",
                enum=list(get_args(Phase)),
            ),
            "paused": boolean("Whether it stays where it is."),
            "share": share("The version's share of the requests that pin none, by this rollout."),
            "step": integer("Index into `steps`.", minimum=0),
            "steps": _SHARES,
            "every_s": _EVERY,
            "guards": _GUARDS,
            "by": string("Who began it."),
            "started_at": moment("When."),
            "step_since": moment("When the present step began."),
            "next_step_at": moment("When the next one can begin."),
            "waits_for": array(string("In words."), "What has to come before the next step."),
            "ended_at": moment("When it ended."),
            "reason": string("Why."),
        },
        optional=("step_since", "next_step_at", "waits_for", "ended_at", "reason"),
    ),
}


BODIES: dict[str, Any] = {
    name: {"application/json": {"schema": ref(name), "example": example}}
    for name, example in (
        ("RolloutPlan", {"version": "4", "steps": [5, 50, 100], "every_s": 600, "guards": {"max_shift": 1}}),
        ("RolloutChange", {"action": "pause"}),
    )
}

_ROLLOUT = answer(
    "The rollout.",
    "Rollout",
    {
        "id": "0197c2d4-6f1e-7c3a-8d10-3b1f0c9e5a77",
        "model": "localization",
        "version": "4",
        "champion": "3",
        "phase": "running",
        "paused": False,
        "share": 0.05,
        "step": 0,
        "steps": [5, 50, 100],
        "every_s": 600,
        "guards": {"max_error_rate": 0.01, "max_p95_ms": 500, "max_shift": 1, "min_requests": 200},
        "by": "gateway, for key ops",
        "started_at": "2026-01-01T00:00:00.000Z",
        "step_since": "2026-01-01T00:00:01.000Z",
        "next_step_at": "2026-01-01T00:10:01.000Z",
    },
)


def _rollout(
    method: str, summary: str, problems: tuple[int, ...], body: str | None = None, description: str = ""
) -> Operation:
    return Operation(
        method,
        "/models/{model}/rollout",
        summary,
        TAG,
        Scope.READ if method == "GET" else Scope.ADMIN,
        answers={200: _ROLLOUT},
        problems=problems,
        description=description,
        takes=() if method == "GET" else (TIMEOUT,),
        body=BODIES[body] if body else {},
    )


OPERATIONS: tuple[Operation, ...] = (
    _rollout("GET", "A model's newest rollout", (404, 503)),
    _rollout(
        "POST",
        "Roll a version out step by step",
        COMMAND_PROBLEMS,
        "RolloutPlan",
        "Sync sets the alias `candidate`, raises the version's share while the guards hold, promotes it at "
        "the end, or gives all traffic back to the champion at once and says why.",
    ),
    _rollout("PATCH", "Pause a rollout, or go on with it", COMMAND_PROBLEMS, "RolloutChange"),
    _rollout("DELETE", "Abort a rollout: the champion takes all", (400, 404, 409, 503)),
)
