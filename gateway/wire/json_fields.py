"""The names that a request's JSON may use."""

from gateway.wire.options import NAMES

ARRAYS = frozenset({"iq_data", "features"})
BATCHES = frozenset({"iq_samples", "samples", "predictions"})
PREDICT_FIELDS = ARRAYS | NAMES
ITEM_FIELDS = PREDICT_FIELDS | {"sample_id"}
BATCH_FIELDS = BATCHES | NAMES | {"continue_on_error"}
TOP_FIELDS = PREDICT_FIELDS | BATCH_FIELDS
