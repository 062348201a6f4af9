"""What a request may say besides its samples: one schema for each option, in JSON and in the query string."""

from gateway.domain import Options
from gateway.openapi.schema import Schema, array, boolean, integer, number, string
from gateway.wire import raw
from gateway.wire.options import MAX_RECEIVERS, MAX_TEXT

_DEFAULT = Options()

OPTIONS: dict[str, Schema] = {
    "sample_rate_hz": number(
        "Sample rate of the recording. Other than the model's, it is refused, never resampled.",
        unit="Hz",
        exclusiveMinimum=0,
    ),
    "frequency_mhz": number(
        "Centre frequency of the recording, for recent localisations. The models do not use it.",
        unit="MHz",
        exclusiveMinimum=0,
    ),
    "session_id": string(
        "Names a series of requests. Requests of one session are answered by one version while weights last; "
        'it comes back in the answer, which says "unknown" when none was given.',
        minLength=1,
        maxLength=MAX_TEXT,
    ),
    "cache_enabled": boolean(
        "false: compute the fix even when it is cached, and do not cache it.", default=_DEFAULT.cache_enabled
    ),
    "confidence_level": number(
        "Probability that the ellipse holds. It scales the ellipse only, never σ.",
        unit="1",
        exclusiveMinimum=0,
        exclusiveMaximum=1,
        default=_DEFAULT.confidence_level,
    ),
    "receiver_ids": array(
        string("A receiver's id in the model's contract.", minLength=1, maxLength=MAX_TEXT),
        "Which receiver each row of the recording is, when the model's contract names its receivers. The "
        "rows are put into the contract's order. In the query string: comma-separated.",
        minItems=1,
        maxItems=MAX_RECEIVERS,
        uniqueItems=True,
    ),
    "geojson": boolean(
        "Add the position and the ellipse as GeoJSON (RFC 7946) to the answer.", default=_DEFAULT.geojson
    ),
}

CONTINUE_ON_ERROR = boolean(
    "true: a recording that fails is its error, in its place. false: the first error is the whole answer.",
    default=True,
)

RAW: dict[str, Schema] = {
    "dtype": string(
        "`application/octet-stream` only, where it is required: the samples' type. `cf32_le`, `ci16_le` are "
        "little-endian; ci16 / 32768, ci8 / 128 and (cu8 − 128) / 128 give 1.0 = full scale. `f32_le` is the "
        "model's input tensor itself, in C order, its shape from the contract.",
        enum=list(raw.DTYPES),
    ),
    "receivers": integer(
        "`application/octet-stream` only, not with `f32_le`: receivers; their samples follow one another.",
        minimum=1,
        maximum=MAX_RECEIVERS,
        default=1,
    ),
}
