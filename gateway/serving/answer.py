"""An answer whose head and body leave in one piece: for what is asked thousands of times a second.

aiohttp's own response finds its headers out one by one, which takes as long as finding a cached fix.
"""

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE, HttpVersion11


class Answer(web.Response):
    """One with a body that is all there. Where others have a say in its headers, aiohttp writes it."""

    _body: bytes

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self._body)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Begin; nothing is written yet."""
        plain = request.version == HttpVersion11 and request.keep_alive and self.keep_alive is None
        changed = isinstance(request, web.Request) and request.app.on_response_prepare
        if not plain or changed or request.method == "HEAD":
            return await super().prepare(request)
        self._keep_alive = True
        self._payload_writer = request._payload_writer  # noqa: SLF001 aiohttp's own responses take it there
        return self._payload_writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Write it, unless aiohttp has begun to."""
        writer = self._payload_writer
        if writer is None or self._req is not None:
            await super().write_eof(data)
            return
        lines = [f"{name}: {value}\r\n" for name, value in self._headers.items()]
        head = f"HTTP/1.1 {self._status} {self._reason}\r\n{''.join(lines)}{_about(len(self._body))}"
        await writer.write_eof(head.encode() + self._body)
        self._eof_sent = True
        self._payload_writer = None


def _about(length: int) -> str:
    date = rfc822_formatted_time()
    return f"Content-Length: {length}\r\nDate: {date}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n"
