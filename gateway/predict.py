"""The straight line of one request: its version, its canonical input, its fix, what follows from the fix.

Knows no HTTP, no Redis and no gRPC.
"""

import random
import time
from collections.abc import Callable
from typing import Protocol

from contract.catalog import Catalog, ServedModel
from gateway import routing
from gateway.deadline import within
from gateway.domain import BatchRequest, Fix, PredictRequest, Recording
from gateway.errors import FixgateError
from gateway.locate import Found, Locator
from gateway.pipeline import Canonical, Pipeline
from gateway.prediction import CacheOutcome, Prediction, derive
from gateway.routing import Pin
from gateway.stopwatch import Stopwatch
from gateway.wire.identifier import uuid7


class Tally(Protocol):
    """Counts what becomes of recordings."""

    def answered(self, prediction: Prediction) -> None:
        """One prediction was made."""

    def failed(self, model: str, version: int, error: FixgateError) -> None:
        """One was not."""


class Predictor:
    """Answers predict and batch requests.

    Args:
        catalog: the newest catalogue, or None before there is one.
        default_model: what a request means that names no model.
        remember: is handed every prediction with its recording; must not wait.
    """

    def __init__(
        self,
        *,
        catalog: Callable[[], Catalog | None],
        locator: Locator,
        tally: Tally,
        default_model: str | None,
        remember: Callable[[Prediction, Recording], None] = lambda *_: None,
    ) -> None:
        self._catalog = catalog
        self._locator = locator
        self._tally = tally
        self._default_model = default_model
        self._remember = remember
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

    async def predict(
        self, model: ServedModel, pin: Pin | None, request: PredictRequest, deadline: float, watch: Stopwatch
    ) -> Prediction:
        """One fix for one recording; `deadline` is on the event loop's clock.

        Raises:
            NotFound, InvalidInput, Unavailable, BadAnswer, DeadlineExceeded.
        """
        pipeline = self._pipeline(model, pin, request.options.session_id)
        try:
            canonical = pipeline.canonical(request)
            cached = request.options.cache_enabled
            finding = self._locator.one(pipeline, canonical, cached=cached, watch=watch)
            found = await within(deadline, watch, finding)
            if isinstance(found, FixgateError):
                raise found.with_traceback(None)  # others may be raising it too
        except FixgateError as error:
            self._tally.failed(model.name, pipeline.version.version, error)
            raise
        return self._prediction(pipeline, request, found, watch)

    async def predict_batch(
        self, model: ServedModel, pin: Pin | None, batch: BatchRequest, deadline: float, watch: Stopwatch
    ) -> list[Prediction | FixgateError]:
        """A fix, or what was wrong, for each item in order; one version for all.

        Raises:
            NotFound, DeadlineExceeded: for the batch as a whole.
            FixgateError: the first failed item's, unless the batch is to continue on errors.
        """
        sessions = (item.options.session_id for item in batch.items if isinstance(item, PredictRequest))
        pipeline = self._pipeline(model, pin, next(sessions, None))
        found = await within(deadline, watch, self._find_items(pipeline, batch, watch))
        watch.enter("render")
        return [
            self._settled(pipeline, item, one, watch) for item, one in zip(batch.items, found, strict=True)
        ]

    async def _find_items(self, pipeline: Pipeline, batch: BatchRequest, watch: Stopwatch) -> list[Found]:
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
                finding = self._locator.many(pipeline, list(inputs.values()), cached=cached, watch=watch)
                for place, one in zip(inputs, await finding, strict=True):
                    if isinstance(one, FixgateError):
                        _stop_unless(batch.continue_on_error, one)
                    found[place] = one
        return [found[place] for place in range(len(batch.items))]

    def _settled(
        self, pipeline: Pipeline, item: PredictRequest | FixgateError, found: Found, watch: Stopwatch
    ) -> Prediction | FixgateError:
        if isinstance(found, FixgateError):
            self._tally.failed(pipeline.model, pipeline.version.version, found)
            return found
        return self._prediction(pipeline, _parsed(item), found, watch)

    def _pipeline(self, model: ServedModel, pin: Pin | None, session_id: str | None) -> Pipeline:
        draw = random.random()  # noqa: S311 a share of traffic is no secret
        choice = routing.pick(model, pin=pin, session_id=session_id, draw=draw, now=time.time())
        place = (model.name, choice.version.version)
        pipeline = self._pipelines.get(place)
        if pipeline is None or pipeline.version is not choice.version:
            pipeline = self._pipelines[place] = Pipeline(model.name, choice.version)
            self._forget_the_retired()
        return pipeline

    def _forget_the_retired(self) -> None:
        if catalog := self._catalog():
            models = catalog.models.values()
            served = {(model.name, version.version) for model in models for version in model.versions}
            self._pipelines = {place: one for place, one in self._pipelines.items() if place in served}

    def _prediction(
        self, pipeline: Pipeline, request: PredictRequest, found: tuple[Fix, CacheOutcome], watch: Stopwatch
    ) -> Prediction:
        watch.enter("render")
        fix, outcome = found
        version = pipeline.version
        prediction = Prediction(
            id=uuid7(),
            model=pipeline.model,
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
        )
        self._tally.answered(prediction)
        self._remember(prediction, request.recording)
        return prediction


def _parsed(item: PredictRequest | FixgateError) -> PredictRequest:
    if isinstance(item, FixgateError):
        raise item
    return item


def _stop_unless(continues: bool, error: FixgateError) -> None:
    if not continues:
        raise error
