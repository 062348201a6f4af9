"""The console's built files: each read once, with its type, its entity tag and a compressed copy."""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

PAGE = "index.html"
COMPRESSED_FROM = 1024
_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[a-z]{2,4}){1,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file. `gzipped` None: not worth it."""

    content: bytes
    gzipped: bytes | None
    content_type: str
    etag: str


@cache
def names() -> frozenset[str]:
    """The files that there are, the page included; read from the package, never from a request."""
    return frozenset(
        one.name for one in files("gateway").joinpath("console").iterdir() if _NAME.fullmatch(one.name)
    )


@cache
def static_file(name: str) -> StaticFile:
    """One of `names()`; reads and compresses it, so the first time wants a thread."""
    content = files("gateway").joinpath("console", name).read_bytes()
    packed = gzip.compress(content, 6, mtime=0) if len(content) >= COMPRESSED_FROM else None
    kind = _TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    return StaticFile(content, packed, kind, hashlib.sha256(content).hexdigest()[:32])
