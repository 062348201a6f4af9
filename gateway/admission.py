"""Is there still time? What waits for a version, how long its calls take, and who is refused. Pure.

The predicted time until a row's answer is what its version has in flight and in its queue, in calls as large
as they will be, times what such calls have taken of late; or what the first row that leaves with it will have
waited, if that is longer. The first is an upper estimate: what the calls in flight have done already is not
counted. Times are seconds of one monotonic clock, given by the caller.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Self

from gateway.errors import Overloaded
from gateway.priority import BATCH_SHARE, Priority

HEADROOM = 0.8
"""Share of the objective that a prediction may take up; the rest is for what it cannot know."""

SHADOW_SHARE = 0.25
"""Mirrored traffic is refused at this share of what others are refused at."""

LONGEST_RETRY_S = 10.0

PATIENCE_S = 2.0
"""A call that nobody waits for any more counts as under way for so long at least, unless it is answered."""

_STATIONS = 256
"""Versions remembered before those with nothing to do are forgotten."""

_PRIORITIES = range(len(Priority))
_NEWEST = 1 / 12
_NEWEST_CHECKED = 1 / 256
_REFUSING = _NEWEST_CHECKED / 4
_TRUSTED_AFTER = 8
_OUTLIER = 4.0
_RIDGE_ROWS2 = 0.25


class CallTime:
    """Seconds that a call of so many rows takes: a fixed part and a part per row.

    Exponentially weighted least squares. A call that took more than four times what was expected counts as
    four times; one of the first that took less than a quarter makes those before it forgotten, for they
    opened connections and warmed caches (not one that ended right after another: instances that keep step are
    no faster than they are). Before calls of different sizes have been seen, a larger call is
    expected to take no longer: being too hopeful is corrected by the next call, being too timid never.
    """

    __slots__ = ("_covariance", "_rows", "_seconds", "_seen", "_variance")

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._seen = 0
        self._rows = self._seconds = self._variance = self._covariance = 0.0

    def observe(self, rows: int, seconds: float, *, at_least: bool = False, overlapped: bool = False) -> None:
        """One call was answered; or, `at_least`, had taken so long when it was given up.

        Were those not counted, nothing would be refused while every call runs into its deadlines.
        """
        if at_least and seconds <= self.expected_s(rows):
            return
        if self._seen < _TRUSTED_AFTER:
            if _OUTLIER * seconds < self.expected_s(rows) and not overlapped:
                self._forget()
        elif not at_least:
            seconds = min(seconds, _OUTLIER * self.expected_s(rows))
        self._seen += 1
        newest = max(_NEWEST, 1 / self._seen)
        d_rows, d_seconds = rows - self._rows, seconds - self._seconds
        self._rows += newest * d_rows
        self._seconds += newest * d_seconds
        self._variance = (1 - newest) * (self._variance + newest * d_rows * d_rows)
        self._covariance = (1 - newest) * (self._covariance + newest * d_rows * d_seconds)

    @property
    def known(self) -> bool:
        """Whether a call was observed."""
        return self._seen > 0

    def expected_s(self, rows: int) -> float:
        """Seconds for a call of `rows`; 0 before the first observation."""
        if not self._seen:
            return 0.0
        slope = self._covariance / (self._variance + _RIDGE_ROWS2)
        slope = min(max(slope, 0.0), self._seconds / self._rows)
        return self._seconds + slope * (rows - self._rows)


class Call:
    """A call under way; `rows` by priority."""

    __slots__ = ("began", "rows", "size")

    def __init__(self, rows: tuple[int, ...], began: float) -> None:
        self.rows = rows
        self.size = sum(rows)
        self.began = began


class Station:
    """What one version has to do: rows that wait and calls in flight, and how fast it has been.

    A call's time is learnt twice. From the end of the call before it when they overlapped: how fast the
    backend is, whether a second call in flight makes it faster or only keeps it busy. And from its beginning:
    what its own rows wait for, however many others come back meanwhile.
    """

    __slots__ = (
        "_calls",
        "_calls_in_flight",
        "_ended",
        "_flying",
        "_rows",
        "_time",
        "_waits_since",
        "_whole",
        "name",
    )

    def __init__(self, name: str, calls_in_flight: int) -> None:
        self.name = name
        self._calls_in_flight = calls_in_flight
        self._calls: set[Call] = set()
        self._time, self._whole = CallTime(), CallTime()
        self._ended = self._waits_since = float("-inf")
        self._rows = [0] * len(Priority)  # admitted and not answered, those in flight included
        self._flying = [0] * len(Priority)

    def holding(self, rows: int, priority: Priority, now: float) -> "Held":
        """To be entered, at once, for the time of `rows` from admission to their answer."""
        if not any(map(self._waiting, _PRIORITIES)):
            self._waits_since = now
        return Held(self._rows, rows, priority)

    def began(self, priorities: Iterable[Priority], now: float) -> Call:
        """A call left, with a row of each of these priorities."""
        counts = Counter(priorities)
        call = Call(tuple(counts[priority] for priority in Priority), now)
        self._calls.add(call)
        self._waits_since = now
        for priority, count in counts.items():
            self._flying[priority] += count
        return call

    def ended(self, call: Call, now: float, *, answered: bool) -> None:
        """It came back, or was given up."""
        self._calls.discard(call)
        for priority, count in enumerate(call.rows):
            self._flying[priority] -= count
        self._time.observe(
            call.size,
            now - max(call.began, self._ended),
            at_least=not answered,
            overlapped=call.began < self._ended,
        )
        self._whole.observe(call.size, now - call.began, at_least=not answered)
        self._ended = now

    @property
    def idle(self) -> bool:
        """Whether a row would leave at once."""
        return len(self._calls) < self._calls_in_flight and not any(map(self._waiting, _PRIORITIES))

    @property
    def unused(self) -> bool:
        """Whether it has nothing to do at all."""
        return not self._calls and not any(self._rows)

    def patience_s(self, rows: int) -> float:
        """How long a call of so many rows counts as under way, from its beginning, if nobody waits for it."""
        return max(PATIENCE_S, _OUTLIER * self._whole.expected_s(rows))

    def answer_s(self, rows: int, limit: int, priority: Priority, now: float) -> float:
        """Predicted seconds until the last of `rows` more is answered; a call carries at most `limit`."""
        limit = max(1, limit)
        leaving = self._leaving(rows, priority)
        calls, rest = divmod(leaving, limit)
        queue_s = calls * self._time.expected_s(limit) + (self._time.expected_s(rest) if rest else 0.0)
        return max(self._flying_s(now) + queue_s, self._next_s(rows, leaving, limit, now))

    def _next_s(self, rows: int, leaving: int, limit: int, now: float) -> float:
        """What the first of `leaving` rows in the queue will have taken, by what calls take from end to end.

        It has waited since it came, or since the call before its own left; leaves once one of those in flight
        is back; and its call is the longer for each of the others.
        """
        if not self._whole.known or not self._calls:
            return 0.0
        frees_s = min(self._whole.expected_s(call.size) + call.began for call in self._calls) - now
        waited_s = now - self._waits_since if leaving > rows else 0.0
        return waited_s + max(0.0, frees_s) + self._whole.expected_s(min(leaving, limit))

    def _waiting(self, priority: int) -> int:
        """Rows that have not left; those whose client left in flight are in `_flying` alone."""
        return max(0, self._rows[priority] - self._flying[priority])

    def _leaving(self, rows: int, priority: Priority) -> int:
        """Rows that will have left the queue together with the last of `rows`, if none came after."""
        single, batch = self._waiting(Priority.INTERACTIVE), self._waiting(Priority.BATCH)
        if priority is Priority.INTERACTIVE:
            mine = single + rows
            return mine + (min(batch, int(mine * BATCH_SHARE / (1 - BATCH_SHARE))) if batch else 0)
        if priority is Priority.BATCH:
            mine = batch + rows
            return mine + min(single, int(mine * (1 - BATCH_SHARE) / BATCH_SHARE))
        return single + batch + self._waiting(Priority.SHADOW) + rows

    def _flying_s(self, now: float) -> float:
        """All that is in flight; a call that is overdue is expected to take as long again.

        The very first call is overdue only once it is given up: nobody knows how long it should take.
        """
        if not self._calls or not self._time.known:
            return 0.0
        since = max(self._ended, min(call.began for call in self._calls))
        return max(sum(self._time.expected_s(call.size) for call in self._calls), now - since)


class Held:
    """Rows of one request that a station has to answer."""

    __slots__ = ("_count", "_priority", "_rows")

    def __init__(self, rows: list[int], count: int, priority: Priority) -> None:
        self._rows = rows
        self._count = count
        self._priority = priority

    def __enter__(self) -> None:
        """They are admitted."""
        self._rows[self._priority] += self._count

    def __exit__(self, *_: object) -> None:
        """They are answered, or given up."""
        self._rows[self._priority] -= self._count


class Admission:
    """Refuses what would come too late.

    Args:
        objective_s: what an answer should take at most.
        calls_in_flight: how many calls of one version may be under way at once.
    """

    def __init__(self, *, objective_s: float, calls_in_flight: int) -> None:
        self._objective_s = objective_s
        self._calls_in_flight = calls_in_flight
        self._stations: dict[tuple[str, int], Station] = {}
        self._refused = 0.0

    @property
    def refusing(self) -> bool:
        """Whether any of the last few hundred requests was refused."""
        return self._refused > _REFUSING

    def station(self, model: str, version: int) -> Station:
        """The version's."""
        station = self._stations.get((model, version))
        if station is None:
            if len(self._stations) >= _STATIONS:
                self._stations = {place: one for place, one in self._stations.items() if not one.unused}
            name = f'an answer of model "{model}" version {version}'
            station = self._stations[model, version] = Station(name, self._calls_in_flight)
        return station

    def longest_s(self, now: float) -> float:
        """Predicted seconds until the answer to one row more, of the version that has most to do."""
        stations = self._stations.values()
        return max((one.answer_s(1, 1 << 10, Priority.INTERACTIVE, now) for one in stations), default=0.0)

    def check(
        self,
        wait_s: float,
        left_s: float,
        what: str,
        priority: Priority,
        *,
        share: float = HEADROOM,
        last: bool = True,
    ) -> None:
        """Return when `wait_s` is within that share of the objective and what is left before the deadline.

        Whoever is refused is told to come back in a second, or in four times as many as are refused for one
        that is let through: else those who come again would be most of the load.

        Args:
            last: nothing else is checked of the request after this; who passes counts as let through.

        Raises:
            Overloaded: it is not; says when to come back.
        """
        limit_s = share * self._objective_s * (SHADOW_SHARE if priority is Priority.SHADOW else 1.0)
        late = wait_s > min(limit_s, left_s)
        if late or last:
            self._refused += _NEWEST_CHECKED * (late - self._refused)
        if late:
            for_deadline, leaves_s = left_s <= limit_s, max(0.0, min(limit_s, left_s))
            bound = "the deadline" if for_deadline else "the latency objective"
            raise Overloaded(
                f"{what} would take about {wait_s * 1e3:.0f} ms, and {bound} leaves {leaves_s * 1e3:.0f} ms",
                retry_after_s=max(1.0, wait_s - leaves_s, self._come_back_s()),
                for_deadline=for_deadline,
            )

    def _come_back_s(self) -> float:
        return min(4 * self._refused / (1.0 - self._refused), LONGEST_RETRY_S)

    def check_rows(
        self,
        station: Station,
        rows: int,
        limit: int,
        *,
        priority: Priority,
        left_s: float,
        now: float,
        last: bool = True,
    ) -> None:
        """May `rows` more join the station's queue? `last` as for `check`.

        The objective is for the first row, the deadline for the last. What finds the version idle is always
        let through, whatever was measured: so a wrong measurement is corrected.

        Raises:
            Overloaded: no.
        """
        if station.idle:
            if last:
                self._refused -= _NEWEST_CHECKED * self._refused
            return
        self.check(station.answer_s(1, limit, priority, now), left_s, station.name, priority, last=last)
        if rows > 1 and (last_s := station.answer_s(rows, limit, priority, now)) > left_s:
            self.check(last_s, left_s, station.name, priority, share=math.inf, last=last)


class ByteBudget:
    """Bytes of requests under way: bodies as they arrive, then what they decode to."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    def share(self) -> "ByteShare":
        """One request's part, to be entered; given back at the end."""
        return ByteShare(self)

    def give_back(self, count: int) -> None:
        """So many are not held any more."""
        self.held -= count

    def allows(self, more: int, mine: int) -> bool:
        """A request that is alone is never refused here: its own limit is another."""
        return self.held + more <= self._limit or self.held == mine


class ByteShare:
    """What one request holds."""

    __slots__ = ("_budget", "held")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self.held = 0

    def __enter__(self) -> Self:
        """Begin with nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give back what is held."""
        self._budget.held -= self.held

    def handed_over(self) -> Callable[[], None]:
        """Hold nothing any more: what was held is held for work that outlives its request.

        Returns:
            Gives it back.
        """
        held, self.held = self.held, 0
        return partial(self._budget.give_back, held)

    def grow(self, more: int) -> None:
        """Hold so many bytes more.

        Raises:
            Overloaded: there is no room for them beside what others hold.
        """
        if not self._budget.allows(more, self.held):
            raise Overloaded("the requests under way hold as many bytes as they may together")
        self._budget.held += more
        self.held += more
