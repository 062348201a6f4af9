"""TLS on the gateway's port."""

import ssl
from pathlib import Path

from gateway.config import ConfigError


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate chain and its private key (PEM).

    Raises:
        ConfigError: a file cannot be read, is no PEM, or the key is encrypted or another certificate's.
    """
    for name, path in (("FIXGATE_TLS_CERT", certificate), ("FIXGATE_TLS_KEY", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{name}: cannot read {path}: {error.strerror}") from None

    def no_password() -> str:
        raise ConfigError(f"FIXGATE_TLS_KEY: {key} is encrypted; a key without password is needed")

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, no_password)
    except ssl.SSLError as error:
        raise ConfigError(
            f"FIXGATE_TLS_CERT, FIXGATE_TLS_KEY: {certificate} and {key} are not a certificate and its "
            f"private key in PEM form: {error.reason or error}"
        ) from None
    return context
