"""How much one request may hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one request.

    body_bytes: a body after content decoding.
    batch_items: recordings in one batch.
    """

    body_bytes: int = 64 << 20
    batch_items: int = 100

    @property
    def json_values(self) -> int:
        """Values in a JSON body: parsed, one takes up to 72 bytes, so memory is at most nine bodies."""
        return self.body_bytes // 8
