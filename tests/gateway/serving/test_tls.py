"""TLS on the gateway's port, with certificates of an authority made here."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import ClientSession
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.app import make_runner, make_sites
from gateway.board import Board, create
from gateway.config import Config, ConfigError
from gateway.serving.listeners import listen
from gateway.serving.tls import server_context
from tests.gateway.certificate import Pair, issue
from tests.gateway.conftest import changed
from tests.launch import free_ports


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A certificate and its key."""
    return issue(tmp_path)


@pytest.fixture(params=["alone", "one of several workers"])
async def url(pair: Pair, alone: Config, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A gateway that listens as its options say."""
    config = changed(alone, port=free_ports(1)[0], tls_cert=pair.certificate, tls_key=pair.key)
    runner = make_runner(config)
    await runner.setup()
    board = None if request.param == "alone" else Board(create(2), 0)
    (site,) = make_sites(runner, config, lambda: listen(config.host, config.port), board)
    await site.start()
    yield site.name
    await runner.cleanup()


async def test_a_client_that_trusts_the_authority_is_served(url: str, pair: Pair) -> None:
    assert url.startswith("https://127.0.0.1:")
    async with ClientSession() as client, client.get(f"{url}/models", ssl=pair.client) as response:
        assert response.status == 200


async def test_other_clients_are_not(url: str, pair: Pair) -> None:
    """One that does not trust it, one of an older TLS, and one that speaks plain HTTP."""
    old = pair.client
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with ClientSession() as client:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await client.get(f"{url}/models")
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get(f"{url}/models", ssl=old)
        with pytest.raises(aiohttp.ClientError):
            await client.get(f"{url.replace('https', 'http')}/models")


def test_older_versions_are_off(pair: Pair) -> None:
    assert server_context(pair.certificate, pair.key).minimum_version == ssl.TLSVersion.TLSv1_2


def test_files_that_cannot_be_used_are_named(pair: Pair, tmp_path: Path) -> None:
    none, words = tmp_path / "none", tmp_path / "words"
    words.write_text("neither certificate nor key")
    other = tmp_path / "other.key"
    other.write_bytes(trustme.CA().issue_cert("127.0.0.1").private_key_pem.bytes())
    for certificate, key, told in (
        (none, pair.key, f"FIXGATE_TLS_CERT: cannot read {none}: No such file"),
        (pair.certificate, none, f"FIXGATE_TLS_KEY: cannot read {none}: No such file"),
        (pair.certificate, tmp_path, f"FIXGATE_TLS_KEY: cannot read {tmp_path}: Is a directory"),
        (words, pair.key, "are not a certificate and its private key in PEM form"),
        (pair.certificate, words, "are not a certificate and its private key in PEM form"),
        (pair.certificate, other, "are not a certificate and its private key in PEM form"),
    ):
        with pytest.raises(ConfigError) as caught:
            server_context(certificate, key)
        assert told in str(caught.value)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(pair: Pair, tmp_path: Path) -> None:
    plain = load_pem_private_key(pair.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        plain.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    with pytest.raises(ConfigError, match=r"FIXGATE_TLS_KEY: .* is encrypted"):
        server_context(pair.certificate, locked)
