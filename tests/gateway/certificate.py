"""A certificate for 127.0.0.1, of an authority made for the test."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, and the authority that signed it."""

    authority: trustme.CA
    certificate: Path
    key: Path

    @property
    def client(self) -> ssl.SSLContext:
        """What a client needs that trusts the authority."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


def issue(folder: Path) -> Pair:
    """Write both into the folder."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return Pair(authority, certificate, key)
