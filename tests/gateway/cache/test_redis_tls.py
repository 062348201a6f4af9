"""`rediss://`, through a TLS end before the real Redis: the binary that tests have is built without TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.redis_client import FAILURES, connect
from tests.gateway.certificate import Pair, issue


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while chunk := await source.read(65_536):
            sink.write(chunk)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A certificate and its key."""
    return issue(tmp_path)


@pytest.fixture
async def tls_port(empty_redis: str, pair: Pair) -> AsyncIterator[int]:
    """Where the Redis is reached by TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    behind = urlsplit(empty_redis)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(behind.hostname, behind.port)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def test_commands_go_through_tls_when_the_authority_is_trusted(
    tls_port: int, pair: Pair, tmp_path: Path
) -> None:
    authority = tmp_path / "ca.pem"
    pair.authority.cert_pem.write_to_path(str(authority))
    url = f"rediss://127.0.0.1:{tls_port}/0?ssl_ca_certs={authority}"
    async with connect(url, max_connections=1) as client:
        assert await client.set("k", b"v")
        assert await client.get("k") == b"v"


async def test_a_redis_whose_authority_is_not_trusted_is_not_talked_to(tls_port: int) -> None:
    async with connect(f"rediss://127.0.0.1:{tls_port}/0", max_connections=1) as client:
        with pytest.raises(FAILURES, match="CERTIFICATE_VERIFY_FAILED"):
            await client.ping()
