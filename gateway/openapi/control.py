"""Who gets the traffic: policies and promotions."""

from typing import Any

from gateway.access.key_file import Scope
from gateway.handlers.routing import MAX_EXPIRES_S, MAX_WEIGHTS
from gateway.openapi import parameters
from gateway.openapi.operation import Operation, answer
from gateway.openapi.schema import Schema, mapping, moment, number, record, ref, share, string

TAG = "Routing"
ABOUT = "Who gets the traffic that pins no version. Changes are carried out by sync, in the registry."

_NUMBER = {"pattern": "^[0-9]+$"}
COMMAND_PROBLEMS = (400, 404, 408, 409, 413, 415, 503)
TIMEOUT = parameters.reference("header", "X-Request-Timeout-Ms")
_IF_MATCH = parameters.reference("header", "If-Match")

_WEIGHT = number("A weight.", unit="1", minimum=0)
_WEIGHTS = mapping(_WEIGHT, "Alias or version number to weight.")
_VERSION_OR_NONE = {
    "anyOf": [
        {"type": "string", "pattern": "^[0-9]{1,18}$"},
        {"type": "integer", "minimum": 1, "x-unit": "1"},
        {"type": "null"},
    ],
}

ROUTING = record(
    "The policy in force.",
    {
        "model": string("The model."),
        "source": string(
            "champion: no policy; tag: the registry's; temporary: one that expires; rollout: one under way.",
            enum=["champion", "tag", "temporary", "rollout"],
        ),
        "etag": string("As in the header ETag, without its quotes."),
        "weights": _WEIGHTS,
        "expires_at": moment("When it gives way."),
        "then": mapping(_WEIGHT, "The weights that it gives way to."),
        "shares": mapping(share("Its share."), "Version to its share of the requests that pin none."),
        "aliases": mapping(string("A version.", **_NUMBER), "Alias to version."),
        "previous_champion": string("Where a rollback goes.", **_NUMBER),
    },
    optional=("expires_at", "then", "previous_champion"),
)

SCHEMAS: dict[str, Schema] = {
    "Routing": ROUTING,
    "Policy": {
        "type": "object",
        "description": "Weights; those of what is not named are 0.",
        "properties": {
            "weights": {
                **_WEIGHTS,
                "propertyNames": {"minLength": 1, "maxLength": 256},
                "minProperties": 1,
                "maxProperties": MAX_WEIGHTS,
            },
            "expires_in_s": {
                "description": "Time after which the weights before these are in force again.",
                "type": ["number", "null"],
                "exclusiveMinimum": 0,
                "maximum": MAX_EXPIRES_S,
                "x-unit": "s",
            },
        },
        "required": ["weights"],
        "additionalProperties": False,
    },
    "Promotion": {
        "type": "object",
        "description": "Which version.",
        "properties": {
            "version": {
                "description": "A registered one; else the candidate, or the champion before this one.",
                **_VERSION_OR_NONE,
            }
        },
        "additionalProperties": False,
    },
    "Promoted": record(
        "The registry's alias `champion` has moved.",
        {
            "model": string("The model."),
            "message": string("`done`, or what is still to come."),
            "previous_version": string("Who took the traffic before.", **_NUMBER),
            "version": string("Who takes it now.", **_NUMBER),
        },
        optional=("previous_version", "version"),
    ),
}

BODIES: dict[str, Any] = {
    name: {"application/json": {"schema": ref(name), "example": example}}
    for name, example in (
        ("Policy", {"weights": {"champion": 90, "candidate": 10}, "expires_in_s": 600}),
        ("Promotion", {"version": "4"}),
    )
}

_ROUTING_EXAMPLE = {
    "model": "localization",
    "source": "temporary",
    "etag": "1f9d2564b3aa8c07",
    "weights": {"champion": 90, "candidate": 10},
    "expires_at": "2026-01-01T00:10:00.000Z",
    "then": {"champion": 100},
    "shares": {"3": 0.9, "4": 0.1},
    "aliases": {"candidate": "4", "champion": "3"},
    "previous_champion": "2",
}
_IN_FORCE = answer("In force.", "Routing", _ROUTING_EXAMPLE, headers=("ETag",))
_MOVED = answer(
    "Done.", "Promoted", {"model": "localization", "message": "done", "previous_version": "3", "version": "4"}
)
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/models/{model}/routing",
        "Who gets a model's traffic",
        TAG,
        Scope.READ,
        answers={200: _IN_FORCE},
        problems=(404, 503),
    ),
    Operation(
        "PUT",
        "/models/{model}/routing",
        "Share a model's traffic out",
        TAG,
        Scope.ADMIN,
        answers={200: _IN_FORCE},
        problems=(*COMMAND_PROBLEMS, 412),
        description="Sync writes the weights to the registered model's tag `fixgate.routing`; every gateway "
        "follows within two seconds. Refused while a rollout is under way.",
        takes=(TIMEOUT, _IF_MATCH),
        body=BODIES["Policy"],
    ),
    Operation(
        "DELETE",
        "/models/{model}/routing",
        "Give all of a model's traffic to its champion",
        TAG,
        Scope.ADMIN,
        answers={200: _IN_FORCE},
        problems=(400, 404, 409, 412, 503),
        takes=(TIMEOUT, _IF_MATCH),
    ),
    Operation(
        "POST",
        "/models/{model}/promote",
        "Make a version the champion",
        TAG,
        Scope.ADMIN,
        answers={200: _MOVED},
        problems=COMMAND_PROBLEMS,
        description="Moves the alias `champion` in the registry; without a version, to the candidate.",
        takes=(TIMEOUT,),
        body=BODIES["Promotion"],
    ),
    Operation(
        "POST",
        "/models/{model}/rollback",
        "Go back to the champion before",
        TAG,
        Scope.ADMIN,
        answers={200: _MOVED},
        problems=COMMAND_PROBLEMS,
        description="It is still loaded, and takes the traffic within two seconds.",
        takes=(TIMEOUT,),
        body=BODIES["Promotion"],
    ),
)
