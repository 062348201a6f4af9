"""A proxy before MLflow that misbehaves as told."""

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Mode = Literal["well", "500", "silent", "half", "stuck", "gone"]


class Proxy:
    """Passes requests on.

    mode: `500`: every answer is an error; `silent`: takes requests and never answers; `half`: downloads are
        cut in the middle; `stuck`: they stop there, and `stuck` is set; `gone`: downloads are not found, and
        listings empty.
    """

    def __init__(self, upstream: str) -> None:
        self.mode: Mode = "well"
        self.upstream = upstream
        self.requests: list[str] = []
        self.authorization: str | None = None
        self.released = threading.Event()
        self.stuck = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def uri(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def run(self) -> None:
        """Serve until closed."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Stop."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            proxy.requests.append(self.path)
            proxy.authorization = self.headers.get("Authorization")
            download = "/mlflow-artifacts/artifacts/" in self.path
            if proxy.mode == "500":
                self._answer(500, b'{"error_code": "INTERNAL_ERROR", "message": "out of order"}')
            elif proxy.mode == "silent":
                proxy.released.wait(60)
                self.close_connection = True
            elif proxy.mode == "gone" and download:
                self._answer(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "gone"}')
            elif proxy.mode == "gone" and "/mlflow-artifacts/artifacts" in self.path:
                self._answer(200, b'{"files": []}')
            else:
                status, body = self._ask()
                cut = proxy.mode in ("half", "stuck") and download and self.path.endswith(".onnx")
                self._answer(status, body, cut=cut)

        def _ask(self) -> tuple[int, bytes]:
            size = int(self.headers.get("Content-Length") or 0)
            request = urllib.request.Request(
                proxy.upstream + self.path, self.rfile.read(size) or None, method=self.command
            )
            for name in ("Content-Type", "Authorization"):
                if name in self.headers:
                    request.add_header(name, self.headers[name])
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status, answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read()

        def _answer(self, status: int, body: bytes, *, cut: bool = False) -> None:
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if cut else body)
            if cut and proxy.mode == "stuck":
                proxy.stuck.set()
                proxy.released.wait(60)
            self.close_connection = True

        def log_message(self, *_arguments: object) -> None:
            pass

    for method in ("GET", "POST", "PATCH", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler._pass_on)
    return Handler


@contextlib.contextmanager
def flaky(upstream: str) -> Iterator[Proxy]:
    """A proxy that runs."""
    proxy = Proxy(upstream)
    thread = threading.Thread(target=proxy.run)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
