"""The console and what it watches: fixes as they are made, and the last fifteen minutes."""

from gateway.access.key_file import Scope
from gateway.kept.live import LENGTH
from gateway.openapi import parameters
from gateway.openapi.operation import Operation, answer
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

CONSOLE = "Console"
ABOUT = "A page for people, and what it asks for."

_MS = number("Milliseconds.", unit="ms", minimum=0)
_STEP: dict[str, Schema] = {
    "at": integer("When it began, Unix time.", unit="s", minimum=0),
    "requests": integer("Requests for predictions; a batch is one.", minimum=0),
    "errors": integer("Those answered with 5xx.", minimum=0),
    "refused": integer("Those answered with 4xx.", minimum=0),
    "hits": integer("Predictions from the cache.", minimum=0),
    "looked_up": integer("Predictions that asked it.", minimum=0),
    "queue": integer("The most rows that waited for Triton.", minimum=0),
    "p50_ms": _MS,
    "p95_ms": _MS,
    "p99_ms": _MS,
}
_TRUTH = record(
    "Where its source was.",
    {
        "latitude": number("North is positive.", unit="°", minimum=-90, maximum=90),
        "longitude": number("East is positive.", unit="°", minimum=-180, maximum=180),
    },
)

SCHEMAS: dict[str, Schema] = {
    "EventStream": string(
        "Server-sent events. `state`: `{feed, confidence_level}`, where feed is `shared` (of every gateway) "
        "or `local` (of this one, while Redis is away). `fixes`: an array of `LiveFix`, oldest first. "
        "Comments keep the connection alive."
    ),
    "LiveFix": record(
        "A fix and what made it.",
        {
            "id": string("The prediction's id.", format="uuid"),
            "at": number("When, Unix time.", unit="s", minimum=0),
            "timestamp": moment("The same."),
            "model": string("The model."),
            "version": string("The version that answered.", pattern="^[0-9]+$"),
            "latitude": number("North is positive.", unit="°", minimum=-90, maximum=90),
            "longitude": number("East is positive.", unit="°", minimum=-180, maximum=180),
            "var_east": number("Variance to the east.", unit="m²", minimum=0),
            "var_north": number("Variance to the north.", unit="m²", minimum=0),
            "cov": number("Their covariance.", unit="m²"),
            "cep50_m": number("Half of the time within this radius.", unit="m", minimum=0),
            "r95_m": number("95 of 100 times within this radius.", unit="m", minimum=0),
            "confidence": share("As in the prediction."),
            "cache": string("Where the fix came from.", enum=["hit", "miss", "coalesced", "bypass"]),
            "inference_time_ms": number("From the request's head to the fix.", unit="ms", minimum=0),
            "session_id": string('As requested, else "unknown".'),
            "stages_ms": mapping(_MS, "Where the time went."),
            "frequency_mhz": number("As requested.", unit="MHz", minimum=0),
            "sample_id": string("As requested."),
            "passed_over": integer("Fixes just before it that are not shown: too many at once.", minimum=0),
            "ellipse": ref("Ellipse"),
            "outline": array(
                array(number("Longitude, latitude, longitude, …", unit="°")), "Rings, if there is an outline."
            ),
            "no_outline": string("Why there is none."),
        },
        optional=("frequency_mhz", "sample_id", "passed_over", "outline", "no_outline"),
    ),
    "PerformanceHistory": record(
        "The last fifteen minutes of every gateway.",
        {
            "step_s": integer("Length of a step.", unit="s", minimum=1),
            "steps": array(ref("PerformanceStep"), "Oldest first; those without a request are left out."),
            "all": ref("PerformanceStep"),
            "window_s": integer("How far back.", unit="s", minimum=1),
            "objective_ms": number("95 of 100 requests are to take no longer.", unit="ms", minimum=0),
            "gateways": integer("Processes that the numbers are of.", minimum=1),
            "shared": boolean("Whether Redis answered; otherwise they are of this process alone."),
            "now": number("When this was read, Unix time.", unit="s", minimum=0),
        },
    ),
    "PerformanceStep": record("A span of time.", _STEP, optional=("p50_ms", "p95_ms", "p99_ms")),
    "Npy": {"description": "An npy file."},
    "ConsoleSettings": record(
        "What the page has to know first.",
        {
            "version": string("Of fixgate."),
            "remember": boolean("Whether fixes are kept; otherwise there is no feed."),
            "default_model": string("The model of requests that name none."),
            "keys": boolean("Whether API keys are asked for."),
            "scopes": array(string("A scope.", enum=list(map(str, Scope))), "What this caller may."),
            "samples": boolean("Whether there are recordings to try."),
            "tiles": record(
                "Tiles under the map.",
                {"url": string("With {z}, {x} and {y}."), "credit": string("Thanks that they ask for.")},
            ),
        },
        optional=("default_model", "tiles"),
    ),
    "ConsoleSamples": record(
        "Recordings to try.",
        {
            "samples": array(
                record(
                    "One recording.",
                    {
                        "name": string("Its name."),
                        "bytes": integer("Its size.", unit="B", minimum=0),
                        "truth": _TRUTH,
                    },
                    optional=("truth",),
                ),
                "By name.",
            )
        },
    ),
}  # fmt: skip

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/events",
        "Fixes as they are made",
        CONSOLE,
        Scope.READ,
        answers={200: answer("An endless stream.", "EventStream", media_type="text/event-stream")},
        problems=(400, 404),
        description=f"The newest `limit` fixes (at most {LENGTH:,}), or those after `Last-Event-ID`, then "
        "every new one with its outline at `confidence_level`. 404 while `FIXGATE_REMEMBER` is off.",
        takes=(
            parameters.reference("header", "Last-Event-ID"),
            parameters.reference("query", "confidence_level"),
            parameters.reference("query", "limit"),
        ),
    ),
    Operation(
        "GET",
        "/performance/history",
        "The last fifteen minutes",
        CONSOLE,
        Scope.READ,
        answers={200: answer("In steps of ten seconds.", "PerformanceHistory")},
        problems=(400,),
    ),
    Operation(
        "GET",
        "/console",
        "The console",
        CONSOLE,
        None,
        answers={200: answer("A page.", "Text", media_type="text/html")},
    ),
    Operation(
        "GET",
        "/console/files/{file}",
        "One of its files",
        CONSOLE,
        None,
        answers={200: answer("The file, to keep for ever.", "Text", media_type="text/javascript")},
        problems=(404,),
    ),
    Operation(
        "GET",
        "/console/settings",
        "What the console has to know first",
        CONSOLE,
        None,
        answers={200: answer("Its settings.", "ConsoleSettings")},
    ),
    Operation(
        "GET",
        "/console/samples",
        "Recordings to try",
        CONSOLE,
        Scope.READ,
        answers={200: answer("Their names.", "ConsoleSamples")},
        problems=(400, 404),
    ),
    Operation(
        "GET",
        "/console/samples/{name}",
        "One of them",
        CONSOLE,
        Scope.READ,
        answers={200: answer("An npy file.", "Npy", media_type="application/x-npy")},
        problems=(400, 404),
    ),
)
