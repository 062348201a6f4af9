"""Who gets the traffic: policies and promotions."""

from typing import Any

from gateway.access.key_file import Scope
from gateway.handlers.routing import MAX_EXPIRES_S, MAX_WEIGHTS
from gateway.openapi import parameters
from gateway.openapi.operation import Operation, answer
from gateway.openapi.schema import (
    Schema,
    array,
    integer,
    mapping,
    moment,
    number,
    record,
    ref,
    share,
    string,
)

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
        "window_s": integer("Of so long `versions` tells.", unit="s", minimum=10),
        "versions": array(ref("VersionRecord"), "What became of each one's traffic, at all gateways."),
    },
    optional=("expires_at", "then", "previous_champion", "window_s", "versions"),
)

_COUNTS = mapping(integer("How many.", minimum=0), "By class of error.")
_MS = number("Milliseconds.", unit="ms", minimum=0)
_SPREAD_MS = record("To 2 %.", {"median": _MS, "p95": _MS})

RECORD = record(
    "What became of a version's traffic. Quantiles are right to 2 %.",
    {
        "version": string("The version.", **_NUMBER),
        "requests": integer("Recordings that it was to answer; each of a batch counts.", minimum=0),
        "errors": _COUNTS,
        "fell_back": integer("Those that another version answered, because it was not available.", minimum=0),
        "error_rate": share("Of the requests, but for the clients' own errors; what fell back is one."),
        "latency_ms": record("From the head of the request.", {"p50": _MS, "p95": _MS, "p99": _MS}),
        "cache_hit_rate": share("Of the answers that asked the cache."),
        "mean_semi_major_m": number("Of the 1 σ ellipses.", unit="m", minimum=0),
        "comparison": record(
            "Of recordings that the champion had as well.",
            {
                "count": integer("Recordings with both fixes.", minimum=0),
                "errors": _COUNTS,
                "skipped": mapping(integer("How many.", minimum=0), "Copies that were not tried, by reason."),
                "distance_m": record(
                    "Between both fixes.",
                    {
                        "p05": number("5 of 100 are closer.", unit="m", minimum=0),
                        "p25": number("25 of 100 are closer.", unit="m", minimum=0),
                        "median": number("Half are closer.", unit="m", minimum=0),
                        "p75": number("75 of 100 are closer.", unit="m", minimum=0),
                        "p95": number("95 of 100 are closer.", unit="m", minimum=0),
                    },
                ),
                "overlap": record(
                    "Bhattacharyya coefficient of both ellipses: 0 apart, 1 equal.",
                    {
                        "median": number("Half have less.", unit="1", minimum=0),
                        "p95": number("95 of 100 have less.", unit="1", minimum=0),
                    },
                ),
                "relative_shift": number(
                    "Median distance in the champion's median 1 σ semi-major axes.", unit="1", minimum=0
                ),
                "latency_ms": _SPREAD_MS,
            },
            optional=("distance_m", "overlap", "relative_shift", "latency_ms"),
        ),
        "feedback": ref("Feedback"),
    },
    optional=("error_rate", "latency_ms", "cache_hit_rate", "mean_semi_major_m", "comparison", "feedback"),
)

SCHEMAS: dict[str, Schema] = {
    "Routing": ROUTING,
    "VersionRecord": RECORD,
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
    "window_s": 3600,
    "versions": [
        {
            "version": "4",
            "requests": 1210,
            "errors": {"Unavailable": 2},
            "fell_back": 0,
            "error_rate": 0.0017,
            "latency_ms": {"p50": 4.1, "p95": 9.7, "p99": 14.2},
            "cache_hit_rate": 0.31,
            "mean_semi_major_m": 1290.0,
            "comparison": {
                "count": 402,
                "errors": {},
                "skipped": {"busy": 12},
                "distance_m": {
                    "p05": 62,
                    "p25": 186,
                    "median": 310.0,
                    "p75": 465,
                    "p95": 1460.0,
                },
                "overlap": {"median": 0.94, "p95": 0.99},
                "relative_shift": 0.23,
                "latency_ms": {"median": 5.2, "p95": 12.0},
            },
        }
    ],
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
        problems=(400, 404, 503),
        takes=(parameters.reference("query", "window_s"),),
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
