"""MLflow's events: only signed and recent ones count."""

import base64
import hashlib
import hmac
import json

import pytest

from sync.webhooks import Forged, concerns_us, verify

BODY = b'{"entity": "model_version_alias", "action": "created", "data": {"name": "loc"}}'
SECRET = "between us"
NOW = 1_000_000.0


def headers(*, body: bytes = BODY, secret: str = SECRET, at: float = NOW) -> dict[str, str]:
    signed = f"d-1.{int(at)}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return {
        "X-MLflow-Delivery-Id": "d-1",
        "X-MLflow-Timestamp": str(int(at)),
        "X-MLflow-Signature": "v1," + base64.b64encode(digest).decode(),
    }


def test_an_event_signed_with_our_secret_counts() -> None:
    verify(headers(), BODY, SECRET, NOW)


@pytest.mark.parametrize(
    ("sent", "body", "secret"),
    [
        (headers(secret="another"), BODY, SECRET),
        (headers(), BODY + b" ", SECRET),
        (headers(at=NOW - 301), BODY, SECRET),
        (headers(at=NOW + 301), BODY, SECRET),
        ({**headers(), "X-MLflow-Delivery-Id": "d-2"}, BODY, SECRET),
        ({**headers(), "X-MLflow-Signature": "é"}, BODY, SECRET),
        ({}, BODY, SECRET),
        (headers(secret=""), BODY, ""),
    ],
    ids=["secret", "body", "old", "future", "delivery", "garbage", "unsigned", "no secret of ours"],
)
def test_any_other_event_is_forged(sent: dict[str, str], body: bytes, secret: str) -> None:
    with pytest.raises(Forged):
        verify(sent, body, secret, NOW)


def event(entity: str, **data: str) -> bytes:
    return json.dumps({"entity": entity, "action": "set", "data": data}).encode()


def test_our_own_status_tags_do_not_concern_us() -> None:
    assert not concerns_us(event("model_version_tag", key="fixgate.status", value="ready"))
    assert concerns_us(event("model_version_tag", key="fixgate.serve", value="true"))
    assert concerns_us(event("model_version_alias", name="loc"))
    assert not concerns_us(b"not json")
