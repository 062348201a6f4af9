"""May this caller call this, now?"""

import ipaddress
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from multidict import MultiMapping

from gateway.access.concurrency import Concurrency
from gateway.access.key_file import KeyFileError, Scope, StoredKey
from gateway.access.keyring import Keyring
from gateway.access.rate import RateLimit
from gateway.config import Config, ConfigError
from gateway.errors import Forbidden, InvalidInput, TooManyRequests, Unauthorized

log = logging.getLogger(__name__)

HOW = "make keys with `fixgate keys add NAME --scope admin` and set FIXGATE_API_KEYS_FILE"


@dataclass(frozen=True, slots=True)
class Access:
    """Who is let in. `keyring` None: no keys are asked for. `host` is where the gateway listens."""

    keyring: Keyring | None
    rate: RateLimit | None
    concurrency: Concurrency
    host: str
    origins: tuple[str, ...]

    def admit(self, scope: Scope, headers: MultiMapping[str], address: str | None) -> str | None:
        """The name of the caller's key, None where keys are not asked for, when it may go ahead.

        Args:
            address: the caller's; only a rate asks for it.

        Raises:
            InvalidInput: two different keys were sent.
            Unauthorized: no key, or not one of ours.
            Forbidden: the key lacks the scope; or administration without keys from where anyone may call.
            TooManyRequests: over the rate.
        """
        caller = None
        if self.keyring is not None:
            caller = _authenticate(self.keyring, scope, headers)
        elif scope is Scope.ADMIN:
            self._refuse_unknown_administrators(headers)
        if self.rate is not None and (
            wait := self.rate.wait_s(caller.key_id if caller else network(address))
        ):
            per = "this address" if self.keyring is None else "this key"
            raise TooManyRequests(
                f"more than {self.rate.rate} with {per}; wait {wait:g} s", retry_after_s=wait
            )
        return caller.name if caller else None

    def open_to(self, headers: MultiMapping[str]) -> tuple[Scope, ...]:
        """The scopes of what this caller may call, by its headers; costs nothing of its rate."""
        try:
            if self.keyring is not None:
                stored = _known(self.keyring, headers)
                return stored.scopes
            self._refuse_unknown_administrators(headers)
        except Forbidden:
            return (Scope.PREDICT, Scope.READ)
        except (Unauthorized, InvalidInput):
            return ()
        return tuple(Scope)

    def _refuse_unknown_administrators(self, headers: Mapping[str, str]) -> None:
        if not is_loopback(self.host):
            raise Forbidden(
                f"administration is refused while the gateway listens on {self.host} without API keys: {HOW}"
            )
        # Any page can reach loopback through its visitor's browser, which tells where the page is from.
        origin = headers.get("Origin")
        if origin is not None and origin not in self.origins and not _is_local(origin):
            raise Forbidden(
                "administration from a page of another origin is refused without API keys: "
                f"{HOW}, or name the origin in FIXGATE_CORS_ORIGINS"
            )


def make_access(config: Config, clock: Callable[[], float]) -> Access:
    """The rules that the options ask for; warns when anyone may call.

    Raises:
        ConfigError: the file of API keys cannot be used.
    """
    keyring = None
    if config.api_keys_file is not None:
        try:
            keyring = Keyring(config.api_keys_file, clock)
        except KeyFileError as error:
            raise ConfigError(f"FIXGATE_API_KEYS_FILE: {error}") from None
        if len(keyring) == 0:
            log.warning("FIXGATE_API_KEYS_FILE holds no key: every request that needs one is refused")
    elif not is_loopback(config.host):
        log.warning(
            "LISTENING ON %s WITHOUT API KEYS: whoever reaches this address can predict and read; "
            "administration is refused; %s",
            config.host,
            HOW,
        )
    return Access(
        keyring=keyring,
        rate=RateLimit(config.rate_limit, clock) if config.rate_limit else None,
        concurrency=Concurrency(config.max_concurrent_requests),
        host=config.host,
        origins=config.cors_origins,
    )


def is_loopback(host: str | None) -> bool:
    """Whether only this machine can call there; a name that is not `localhost` may be anything."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _is_local(origin: str) -> bool:
    try:
        return is_loopback(urlsplit(origin).hostname)
    except ValueError:
        return False


def network(address: str | None) -> str:
    """One caller's address; an IPv6 caller has a whole /64 to choose from."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))


def _authenticate(keyring: Keyring, scope: Scope, headers: MultiMapping[str]) -> StoredKey:
    """What is kept of the caller's key."""
    stored = _known(keyring, headers)
    if scope not in stored.scopes:
        held = ", ".join(stored.scopes)
        raise Forbidden(f"this needs the scope {scope}; the API key {stored.name} has {held}")
    return stored


def _known(keyring: Keyring, headers: MultiMapping[str]) -> StoredKey:
    given = set(headers.getall("X-API-Key", [])) | set(_bearers(headers.getall("Authorization", [])))
    if len(given) > 1:
        raise InvalidInput("two different API keys were sent; send one", field="Authorization, X-API-Key")
    if not given:
        raise Unauthorized("an API key is needed: send Authorization: Bearer KEY, or X-API-Key: KEY")
    stored = keyring.find(given.pop())
    if stored is None:
        raise Unauthorized("this API key is not known here")
    return stored


def _bearers(values: Iterable[str]) -> list[str]:
    """Tokens; other schemes are meant for a proxy in front of us."""
    pairs = (value.strip().partition(" ") for value in values)
    return [token.strip() for scheme, _, token in pairs if scheme.lower() == "bearer"]
