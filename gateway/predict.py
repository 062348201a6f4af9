"""The straight line of one request: its version, its canonical input, its fix, what follows from the fix.

Knows no HTTP, no Redis and no gRPC.
"""

import random
import time
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Protocol

from contract.catalog import Catalog, ServedModel, ServedVersion
from gateway.deadline import within
from gateway.domain import BatchRequest, Fix, PredictRequest, Recording
from gateway.errors import DeadlineExceeded, FixgateError, Overloaded, Unavailable
from gateway.locate import Found, Locator, Urgency
from gateway.pipeline import Canonical, Pipeline
from gateway.prediction import CacheOutcome, Prediction, derive
from gateway.priority import Priority
from gateway.telemetry.stopwatch import Stopwatch
from gateway.versions import routing
from gateway.versions.routing import Choice, Pin, Route
from gateway.wire.identifier import uuid7

Mirror = Callable[[Route, ServedVersion, PredictRequest, Fix, bool], None]


class Tally(Protocol):
    """Counts what becomes of recordings."""

    def answered(self, prediction: Prediction) -> None:
        """One prediction was made."""

    def failed(self, model: str, version: int, error: FixgateError) -> None:
        """One was not."""

    def fell_back(self, model: str, version: int, stand_in: int, count: int) -> None:
        """So many recordings that were a version's to answer went to its stand-in."""


class Standing(Protocol):
    """Which versions can answer."""

    def available(self, model: str, version: int) -> bool:
        """Whether this one can, as far as is known."""

    def away(self, model: str, version: int) -> None:
        """It just could not."""


class Predictor:
    """Answers predict and batch requests.

    Args:
        catalog: the newest catalogue, or None before there is one.
        standing: which versions can answer; one that cannot loses what does not pin it to its stand-ins.
        default_model: what a request means that names no model.
        remember: is handed every prediction with its recording; must not wait.
        mirror: is handed every answered request with its raw fix, and whether that was cached; must not wait.
    """

    def __init__(
        self,
        *,
        catalog: Callable[[], Catalog | None],
        locator: Locator,
        tally: Tally,
        standing: Standing,
        default_model: str | None,
        remember: Callable[[Prediction, Recording], None] = lambda *_: None,
        mirror: Mirror = lambda *_: None,
    ) -> None:
        self._catalog = catalog
        self._locator = locator
        self._tally = tally
        self._default_model = default_model
        self._remember = remember
        self._mirror = mirror
        self._standing = standing
        self._routes: dict[str, Route] = {}
        self._pipelines: dict[tuple[str, int], Pipeline] = {}

    def model(self, name: str | None, pin: Pin | None) -> ServedModel:
        """The model that a request means: known before its body is read.

        Raises:
            Unavailable: not known yet.
            NotFound: no such model, version or alias.
        """
        model = routing.find_model(self._catalog(), name, self._default_model)
        if pin is not None:
            routing.pinned(model, pin)
        return model

    def admit(
        self, model: ServedModel, pin: Pin | None, priority: Priority, deadline: float, *, cached: bool
    ) -> None:
        """Return when a body is worth looking at; `cached` False: its fix is not to be taken from the cache.

        Raises:
            Overloaded: none of the model's versions could answer in time, and cached fixes are rare.
        """
        shares = self._route(model).shares if pin is None else (routing.pinned(model, pin).version,)
        self._locator.admit(model.name, list(shares), Urgency(priority, deadline), cached=cached)

    async def predict(
        self,
        model: ServedModel,
        pin: Pin | None,
        request: PredictRequest,
        deadline: float,
        watch: Stopwatch,
        *,
        hurried: bool = False,
    ) -> Prediction:
        """One fix for one recording; `deadline` is on the event loop's clock.

        Args:
            hurried: it is earlier than others have it, by the client's own wish; no version's fault.

        Raises:
            NotFound, InvalidInput, Unavailable, BadAnswer, DeadlineExceeded.
        """
        route = self._route(model)
        choice = self._choose(route, pin, request.options.session_id, 1)
        while True:
            try:
                found = await self._find_one(choice, request, deadline, watch)
            except FixgateError as error:
                if (stand_in := self._stand_in(route, choice, error, 1)) is None:
                    self._tally.failed(model.name, choice.version.version, _counted(error, hurried=hurried))
                    raise
                choice = stand_in
            else:
                return self._prediction(route, choice, request, found, watch)

    async def predict_batch(
        self,
        model: ServedModel,
        pin: Pin | None,
        batch: BatchRequest,
        deadline: float,
        watch: Stopwatch,
        *,
        hurried: bool = False,
    ) -> list[Prediction | FixgateError]:
        """A fix, or what was wrong, for each item in order; one version for all. `hurried` as for `predict`.

        Raises:
            NotFound, DeadlineExceeded: for the batch as a whole.
            FixgateError: the first failed item's, unless the batch is to continue on errors.
        """
        sessions = (item.options.session_id for item in batch.items if isinstance(item, PredictRequest))
        route, count = self._route(model), len(batch.items)
        choice = self._choose(route, pin, next(sessions, None), count)
        while True:
            try:
                finding = self._find_items(self._pipeline(choice), batch, deadline, watch)
                found = await within(deadline, watch, finding)
            except FixgateError as error:
                if (stand_in := self._stand_in(route, choice, error, count)) is None:
                    counted = _counted(error, hurried=hurried)
                    for _ in batch.items:
                        self._tally.failed(model.name, choice.version.version, counted)
                    raise
            else:
                stand_in = next(
                    filter(None, (self._stand_in(route, choice, one, count) for one in found)), None
                )
                if stand_in is None:
                    break
            choice = stand_in
        watch.enter("render")
        return [
            self._settled(route, choice, item, one, watch)
            for item, one in zip(batch.items, found, strict=True)
        ]

    async def _find_one(
        self, choice: Choice, request: PredictRequest, deadline: float, watch: Stopwatch
    ) -> tuple[Fix, CacheOutcome]:
        pipeline = self._pipeline(choice)
        canonical = pipeline.canonical(request)
        cached = request.options.cache_enabled
        finding = self._locator.one(pipeline, canonical, cached=cached, watch=watch, deadline=deadline)
        found = await within(deadline, watch, finding)
        if isinstance(found, FixgateError):
            raise found.with_traceback(None)  # others may be raising it too
        return found

    async def _find_items(
        self, pipeline: Pipeline, batch: BatchRequest, deadline: float, watch: Stopwatch
    ) -> list[Found]:
        found: dict[int, Found] = {}
        wanted: dict[bool, dict[int, Canonical]] = {True: {}, False: {}}
        for place, item in enumerate(batch.items):
            try:
                request = _parsed(item)
                wanted[request.options.cache_enabled][place] = pipeline.canonical(request)
            except FixgateError as error:
                _stop_unless(batch.continue_on_error, error)
                found[place] = error
        for cached, inputs in wanted.items():
            if inputs:
                finding = self._locator.many(
                    pipeline, list(inputs.values()), cached=cached, watch=watch, deadline=deadline
                )
                for place, one in zip(inputs, await finding, strict=True):
                    if isinstance(one, FixgateError):
                        _stop_unless(batch.continue_on_error, one)
                    found[place] = one
        return [found[place] for place in range(len(batch.items))]

    def _settled(
        self,
        route: Route,
        choice: Choice,
        item: PredictRequest | FixgateError,
        found: Found,
        watch: Stopwatch,
    ) -> Prediction | FixgateError:
        if isinstance(found, FixgateError):
            self._tally.failed(choice.model.name, choice.version.version, found)
            return found
        return self._prediction(route, choice, _parsed(item), found, watch)

    def _route(self, model: ServedModel) -> Route:
        now = time.time()
        route = self._routes.get(model.name)
        if route is None or not route.holds(model, now):
            route = self._routes[model.name] = routing.route(model, now)
        return route

    def _choose(self, route: Route, pin: Pin | None, session_id: str | None, count: int) -> Choice:
        name = route.model.name
        available = partial(self._standing.available, name)
        if pin is not None:
            try:
                return routing.pick_pinned(route.model, pin, available)
            except Unavailable as error:
                self._tally.failed(name, routing.pinned(route.model, pin).version, error)
                raise
        draw = random.random()  # noqa: S311 - a share of traffic is no secret  # nosec B311
        choice = routing.pick(route, session_id=session_id, draw=draw, available=available)
        if choice.fallback_from is not None:
            self._tally.fell_back(name, choice.fallback_from, choice.version.version, count)
        return choice

    def _stand_in(
        self, route: Route, choice: Choice, found: Found | FixgateError, count: int
    ) -> Choice | None:
        """Who answers instead of a version that turned out to be away, or None."""
        if not isinstance(found, Unavailable) or not found.version_away:
            return None
        name, number = route.model.name, choice.version.version
        self._standing.away(name, number)
        stand_in = routing.instead(route, choice, partial(self._standing.available, name))
        if stand_in is not None:
            self._tally.fell_back(name, number, stand_in.version.version, count)
        return stand_in

    def _pipeline(self, choice: Choice) -> Pipeline:
        place = (choice.model.name, choice.version.version)
        pipeline = self._pipelines.get(place)
        if pipeline is None or pipeline.version is not choice.version:
            pipeline = self._pipelines[place] = Pipeline(choice.model.name, choice.version)
            self._forget_the_retired()
        return pipeline

    def _forget_the_retired(self) -> None:
        if catalog := self._catalog():
            models = catalog.models.values()
            served = {(model.name, version.version) for model in models for version in model.versions}
            self._pipelines = {place: one for place, one in self._pipelines.items() if place in served}
            self._routes = {name: one for name, one in self._routes.items() if name in catalog.models}

    def _prediction(
        self,
        route: Route,
        choice: Choice,
        request: PredictRequest,
        found: tuple[Fix, CacheOutcome],
        watch: Stopwatch,
    ) -> Prediction:
        watch.enter("render")
        fix, outcome = found
        version = choice.version
        prediction = Prediction(
            id=uuid7(),
            model=choice.model.name,
            version=version.version,
            derived=derive(
                fix,
                sigma_scale=version.sigma_scale,
                level=request.options.confidence_level,
                radius_m=version.contract.output.confidence_radius_m,
            ),
            options=request.options,
            cache=outcome,
            inference_time_ms=watch.elapsed_ms,
            at=time.time(),
            sample_id=request.recording.sample_id,
            fallback_from=choice.fallback_from,
            edition=version.edition,
        )
        self._tally.answered(prediction)
        self._remember(prediction, request.recording)
        self._mirror(route, version, request, fix, outcome == "hit")
        return prediction


def _counted(error: FixgateError, *, hurried: bool) -> FixgateError:
    """What is counted for a version; a copy, since others of the same call may have had all their time."""
    too_late = isinstance(error, DeadlineExceeded) or (isinstance(error, Overloaded) and error.for_deadline)
    if not (hurried and too_late):
        return error
    counted = copy(error)
    counted.own_deadline = True
    return counted


def _parsed(item: PredictRequest | FixgateError) -> PredictRequest:
    if isinstance(item, FixgateError):
        raise item
    return item


def _stop_unless(continues: bool, error: FixgateError) -> None:
    if not continues:
        raise error
