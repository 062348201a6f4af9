"""What was answered, entered into a book as the gateway does it: through a ledger."""

from gateway.prediction import Prediction
from gateway.telemetry.groups import Book
from gateway.telemetry.ledger import Ledger
from gateway.telemetry.stopwatch import Stopwatch


def predicted(book: Book, *predictions: Prediction) -> None:
    """Predictions were made."""
    ledger = Ledger([book])
    for one in predictions:
        ledger.prediction(one)
    ledger.settle()


def asked(
    book: Book,
    status: int,
    seconds: float,
    *,
    at: float = 0.0,
    method: str = "POST",
    route: str = "/predict",
    watch: Stopwatch | None = None,
) -> None:
    """A request was answered."""
    ledger = Ledger([book])
    ledger.request(method, route, status, at=at, seconds=seconds, watch=watch or Stopwatch())
    ledger.settle()
