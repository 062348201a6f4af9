"""GET /localizations/recent and POST /feedback: what predictions leave behind."""

from typing import Annotated

import msgspec
import orjson
from aiohttp import web
from msgspec import Meta

from gateway.errors import NotFound
from gateway.handlers import arguments
from gateway.kept import feedback
from gateway.kept.feedback import Kept
from gateway.keys import SERVICES
from gateway.services import Services
from gateway.wire.memory_document import feedback_document, localization_document

MAX_RECENT, DEFAULT_RECENT = 1000, 10


class Truth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the source of a prediction really was: degrees, WGS84."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]


async def recent(request: web.Request) -> web.Response:
    """The newest localisations."""
    limit = arguments.limit(request, DEFAULT_RECENT, MAX_RECENT)
    keeper = request.app[SERVICES].recent
    found = await keeper.newest(limit) if keeper else []
    return _json([localization_document(one) for one in found])


async def tell_truth(request: web.Request) -> web.Response:
    """Hold a prediction against its truth, once."""
    services = request.app[SERVICES]
    truth = await arguments.document(request, Truth, services.config)
    remembered = services.remembered
    if remembered is None:
        raise NotFound(f'no prediction "{truth.id}" is remembered: FIXGATE_REMEMBER is off')
    one = await remembered.find(truth.id)
    outcome = feedback.outcome(one.fix, truth.latitude, truth.longitude)
    sums = await remembered.tell(one, outcome)
    summary = feedback.summary(sums) if _served_now(services, one) else None
    services.feedback_metrics.told(one.model, one.version, outcome, summary)
    return _json(feedback_document(one, outcome))


def _served_now(services: Services, one: Kept) -> bool:
    """Whether the edition that made the prediction is the one that answers today."""
    model = services.feed.current and services.feed.current.models.get(one.model)
    version = model and model.version(one.version)
    return bool(version and version.edition == one.edition)


def _json(document: object) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
