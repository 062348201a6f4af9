"""What the gateway said of one file."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A file's name and the gateway's prediction document for it."""

    name: str
    document: dict[str, Any]

    @property
    def features(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The GeoJSON features of position and ellipse; only where GeoJSON was asked for."""
        position, ellipse = self.document["geojson"]["features"]
        return position, ellipse
