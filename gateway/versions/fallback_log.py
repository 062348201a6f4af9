"""One line in the log when a version loses its traffic to another, and one when it answers again."""

import logging

from gateway.prediction import Prediction

log = logging.getLogger(__name__)


class FallbackLog:
    """Remembers which versions others answer for."""

    def __init__(self) -> None:
        self._replaced: set[tuple[str, int]] = set()

    def fell_back(self, model: str, version: int, stand_in: int) -> None:
        """Another version answers for this one."""
        if (model, version) not in self._replaced:
            self._replaced.add((model, version))
            log.warning(
                'model "%s" version %d is not available: version %d answers for it', model, version, stand_in
            )

    def answered(self, prediction: Prediction) -> None:
        """A version answered."""
        if self._replaced and (prediction.model, prediction.version) in self._replaced:
            self._replaced.discard((prediction.model, prediction.version))
            log.info('model "%s" version %d answers again', prediction.model, prediction.version)
