"""What can go wrong with a request; knows no HTTP (handlers map each class to a status).

FixgateError
├── InvalidInput          the request is malformed or a value is not allowed
│   ├── TooLarge          a body, or what it decodes to, over the limit
│   └── UnsupportedMedia  a media type or encoding that is not known
├── Unauthorized          no key, or not a known one
├── Forbidden             the key lacks the scope
├── NotFound              unknown model, version, alias or prediction
├── BodyTimeout           the body did not arrive in time
├── Conflict              it exists already, or contradicts what does
├── PreconditionFailed    If-Match names another state
├── TooManyRequests       over the key's rate
├── Unavailable           not ready, or a part of it away
│   └── Overloaded        the answer would come too late, or there is no room for the request
├── BadAnswer             the backend gave an unusable answer
└── DeadlineExceeded      out of time
"""


class FixgateError(Exception):
    """Base of all; `detail` is for the client: it names field, value and limit, never a path.

    own_deadline: as it is counted; the client had allowed less time than requests of its kind have.
    """

    own_deadline = False

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidInput(FixgateError):
    """The request is malformed or a value is not allowed. `field` is where, as the client wrote it."""

    def __init__(self, detail: str, *, field: str | None = None) -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.field = field


class TooLarge(InvalidInput):
    """A body, or what it decodes to, over the limit."""


class UnsupportedMedia(InvalidInput):
    """A media type or content encoding that is not known."""


class Unauthorized(FixgateError):
    """No key, or not a known one."""


class Forbidden(FixgateError):
    """The key lacks the scope."""


class NotFound(FixgateError):
    """Unknown model, version, alias or prediction."""


class BodyTimeout(FixgateError):
    """The body did not arrive in time."""


class Conflict(FixgateError):
    """It exists already, or contradicts what does."""


class PreconditionFailed(FixgateError):
    """If-Match names another state."""


class _Retryable(FixgateError):
    def __init__(self, detail: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class TooManyRequests(_Retryable):
    """Over the key's rate; `retry_after_s` says when to come back."""


class Unavailable(_Retryable):
    """Not ready, or a part of it away; `retry_after_s` says when to come back.

    version_away: this version is not to be had now; another one of the model may be.
    """

    def __init__(self, detail: str, *, retry_after_s: float = 1.0, version_away: bool = False) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.version_away = version_away


class Overloaded(Unavailable):
    """The answer would come too late, or there is no room for the request.

    for_deadline: too late for this request's own deadline; another one may have more time.
    """

    def __init__(self, detail: str, *, retry_after_s: float = 1.0, for_deadline: bool = False) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.for_deadline = for_deadline


class BadAnswer(FixgateError):
    """The backend gave an unusable answer: non-finite, out of range, wrong shape."""


class DeadlineExceeded(FixgateError):
    """Out of time; the detail says where it went."""
