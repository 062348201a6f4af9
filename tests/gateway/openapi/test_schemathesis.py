"""What the document allows and what it forbids, sent to a real gateway: every answer is as documented."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig

from gateway.openapi.document import document
from tests.gateway import stand
from tests.gateway.conftest import IQ, MEL
from tests.gateway.gateway_process import gateway_process
from tests.gateway.wire import mutation
from tests.launch import Triton

CONFIG = {
    "generation": {"deterministic": True, "max-examples": 15},
    # What a model takes (its receivers, samples, shape) is in its contract, not in the document.
    "checks": {
        "positive_data_acceptance": {"enabled": False},
        "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503", "504"]},
        "negative_data_rejection": {"expected-statuses": ["4xx", "503", "504"]},
    },
    "phases": {"stateful": {"enabled": False}},
    # The same handlers as /predict and /predict/batch: every boundary of every parameter once is enough.
    "operations": [
        {"include-path-regex": "^/models/.*/predict", "phases": {"coverage": {"enabled": False}}},
    ],
}
ANSWERED: Counter[tuple[str, int]] = Counter()
SEEDS = mutation.seeds(receivers=2)


def _bodies(content_type: str) -> st.SearchStrategy[bytes]:
    """Valid ones, and valid ones broken."""
    valid = [one.body for one in SEEDS if one.content_type == content_type]
    broken = st.builds(mutation.mutate, st.sampled_from(valid), st.randoms(use_true_random=False))
    return st.one_of(st.sampled_from(valid), broken)


for media_type in ("application/x-npy", "application/octet-stream", "application/x-sigmf"):
    schemathesis.openapi.media_type(media_type, _bodies(media_type))


def _document() -> dict[str, Any]:
    """The document, with the names of models that are there; whoever breaks the rules takes others."""
    names: dict[str, list[Any]] = {"model": [IQ, MEL], "version": ["1", "2"], "alias": ["champion"]}
    found = dict(document())
    parameters = dict(found["components"]["parameters"])
    for name, known in names.items():
        one = parameters[f"path.{name}"]
        parameters[f"path.{name}"] = {**one, "schema": {"type": "string", "enum": known}}
    return {**found, "components": {**found["components"], "parameters": parameters}}


schema = schemathesis.openapi.from_dict(_document(), config=SchemathesisConfig.from_dict(CONFIG)).exclude(
    path="/events"  # it never ends
)


@pytest.fixture(scope="module")
def url(
    redis_url: str, triton: Triton, models: dict[str, stand.Model], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A gateway whose default model takes IQ of any length."""
    served = [stand.served_model(models[name].served(), name=name) for name in (IQ, MEL)]
    stand.announce(redis_url, stand.catalogue(*served))
    environment = {
        "FIXGATE_REDIS_URL": redis_url,
        "FIXGATE_TRITON_GRPC": triton.grpc,
        "FIXGATE_MAX_TIMEOUT_MS": "100",  # commands wait for sync, which is not there
    }
    with gateway_process(tmp_path_factory.mktemp("schemathesis"), environment) as address:
        yield address


@schema.parametrize()
def test_every_answer_is_as_documented(case: schemathesis.Case[Any], url: str) -> None:
    if case.meta is not None and case.meta.generation.mode.is_positive:
        _make_whole(case)
    response = case.call_and_validate(base_url=url, timeout=20)
    ANSWERED[case.path, response.status_code] += 1


def _make_whole(case: schemathesis.Case[Any]) -> None:
    """What no schema says: JSON has no query, a body is encoded as its header says, work takes time."""
    if case.media_type == "application/json":
        case.query = {}
    for name in ("Content-Encoding", "X-Request-Timeout-Ms"):
        case.headers.pop(name, None)


def test_valid_recordings_were_among_them() -> None:
    """Otherwise the tests above say nothing of predictions."""
    for path in document()["paths"]:
        if path.endswith(("/predict", "/predict/batch")):
            assert ANSWERED[path, 200] > 0, (path, ANSWERED)
