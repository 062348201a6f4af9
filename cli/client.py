"""The gateway as its HTTP clients see it, with nothing but the standard library."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode

JSON, NPY = "application/json", "application/x-npy"
OCTETS, SIGMF = "application/octet-stream", "application/x-sigmf"

_BUSY = (429, 503)
_LONGEST_WAIT_S = 5.0


class GatewayError(Exception):
    """The gateway did not do what was asked; the message is for the user."""


class Unreachable(GatewayError):
    """No gateway answers at the address."""


class Refusal(GatewayError):
    """The gateway answered with an error: `status`, and the problem's own words."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{detail} ({status})")
        self.status = status


@dataclass(frozen=True, slots=True)
class GatewayClient:
    """A gateway at a URL; may be used from many threads at once.

    A request that it is too busy for, or not ready for, is sent again for `patience_s`.
    """

    url: str
    key: str | None = None
    timeout_s: float = 60.0
    patience_s: float = 10.0

    def get(self, path: str) -> Any:
        """A JSON document.

        Raises:
            Unreachable, Refusal.
        """
        return self._call(path, None, {})

    def post(self, path: str, body: bytes, media_type: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON answer to a body.

        Raises:
            Unreachable, Refusal.
        """
        suffix = f"?{urlencode(query)}" if query else ""
        return self._call(path + suffix, body, {"Content-Type": media_type})

    def change(
        self, method: str, path: str, document: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The JSON answer to a change; `document` goes along as JSON unless it is None.

        Raises:
            Unreachable, Refusal.
        """
        body = None if document is None else json.dumps(document).encode()
        media_type = {} if body is None else {"Content-Type": JSON}
        return self._call(path, body, {**media_type, **(headers or {})}, method)

    def _call(self, path: str, body: bytes | None, headers: dict[str, str], method: str | None = None) -> Any:
        if self.key:
            if not (self.key.isascii() and self.key.isprintable()):
                raise GatewayError("the API key holds a character that no key has; was it copied whole?")
            headers["Authorization"] = f"Bearer {self.key}"
        until = time.monotonic() + self.patience_s
        while True:
            try:
                request = urllib.request.Request(  # noqa: S310
                    self.url.rstrip("/") + path, body, headers, method=method
                )
                with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:  # noqa: S310 # nosec
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    wait = _wait(error.headers.get("Retry-After"))
                    if error.code not in _BUSY or time.monotonic() + wait > until:
                        raise Refusal(error.code, _detail(error)) from None
            except (OSError, HTTPException, ValueError) as error:
                reason = error.reason if isinstance(error, urllib.error.URLError) else error
                raise Unreachable(f"no gateway answers at {self.url}: {reason}") from None
            time.sleep(wait)


def model_path(model: str | None, version: str | None = None, alias: str | None = None) -> str:
    """The path of a model, or of one of its versions; empty for the default model, routed."""
    if model is None:
        return ""
    path = f"/models/{quote(model, safe='')}"
    if version is not None:
        return f"{path}/versions/{quote(version, safe='')}"
    return f"{path}/aliases/{quote(alias, safe='')}" if alias is not None else path


def _detail(error: urllib.error.HTTPError) -> str:
    """The problem's detail; some proxy's page is cut short."""
    text = error.read().decode("utf-8", "replace")
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return " ".join(text.split())[:200] or str(error.reason)


def _wait(retry_after: str | None) -> float:
    """Seconds; HTTP allows a date too, which is answered with one second."""
    try:
        return min(max(float(retry_after or 1.0), 0.0), _LONGEST_WAIT_S)
    except ValueError:
        return 1.0
