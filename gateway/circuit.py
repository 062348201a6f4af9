"""A circuit breaker: after some failures in a row, nobody tries for a while; then one does. Pure."""


class Circuit:
    """Closed until `failures` in a row; then open for `pause_s`, doubled by each failed probe to `longest_s`.

    Times are seconds of any one monotonic clock, given by the caller.
    """

    def __init__(self, *, failures: int = 3, pause_s: float = 0.5, longest_s: float = 10.0) -> None:
        self._allowed = failures
        self._first_pause_s = pause_s
        self._longest_s = longest_s
        self._in_a_row = 0
        self._pause_s = pause_s
        self._closed_again_at = 0.0

    def allows(self, now: float) -> bool:
        """Whether to try; after each pause one caller may, and the rest wait for what becomes of it."""
        if self._in_a_row < self._allowed:
            return True
        if now < self._closed_again_at:
            return False
        self._closed_again_at = now + self._pause_s
        return True

    def succeeded(self) -> None:
        """A try went well."""
        self._in_a_row = 0
        self._pause_s = self._first_pause_s

    def failed(self, now: float) -> None:
        """A try did not."""
        self._in_a_row += 1
        if self._in_a_row > self._allowed:
            self._pause_s = min(2 * self._pause_s, self._longest_s)
        if self._in_a_row >= self._allowed:
            self._closed_again_at = now + self._pause_s

    @property
    def open(self) -> bool:
        """Whether tries are being withheld, but for a probe now and then."""
        return self._in_a_row >= self._allowed
