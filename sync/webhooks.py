"""MLflow's webhooks: a signed event wakes the loop at once (Standard Webhooks, HMAC-SHA256)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from sync.desired import OWN_TAGS

SIGNATURE = "X-MLflow-Signature"
DELIVERY = "X-MLflow-Delivery-Id"
TIMESTAMP = "X-MLflow-Timestamp"
TOLERANCE_S = 300

PATH = "/webhooks/mlflow"


class Forged(ValueError):
    """An event that MLflow did not sign with our secret, or that is too old."""


class _Data(msgspec.Struct):
    key: str | None = None


class _Event(msgspec.Struct):
    entity: str
    data: _Data | None = None


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> None:
    """Check an event's signature over `<delivery>.<timestamp>.<body>` and its age.

    Raises:
        Forged: no secret to check with, a header is missing, the signature is another one, or the event is
            over five minutes off.
    """
    if not secret:
        raise Forged("FIXGATE_WEBHOOK_SECRET is not set, so no event can be trusted")
    delivery, timestamp, given = (headers.get(name, "") for name in (DELIVERY, TIMESTAMP, SIGNATURE))
    signed = f"{delivery}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(digest).decode()
    if not hmac.compare_digest(wanted.encode(), given.encode()):
        raise Forged("the signature does not fit")
    if not timestamp.isdigit() or abs(now - int(timestamp)) > TOLERANCE_S:
        raise Forged("too old, or from the future")


def concerns_us(body: bytes) -> bool:
    """Whether an event may change what is to be served: all but those that our own status tags cause."""
    try:
        event = msgspec.json.decode(body, type=_Event)
    except msgspec.DecodeError:
        return False
    return not (event.entity == "model_version_tag" and event.data and event.data.key in OWN_TAGS)
