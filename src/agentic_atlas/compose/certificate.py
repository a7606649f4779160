"""The certificate that both listeners show: read once, and again when its files have changed.

Whatever renews a certificate writes new files and signals nobody. Their times are looked at every minute; what is read
anew counts for the connections made from then on. Files that can't be read leave the certificate as it was: a renewal
that went wrong must not cut a network off before the old one has expired.
"""

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.observe.logs import Log

LOOK_EVERY: Final = 60.0
"""Seconds between two looks at the files."""
WARN_WITHIN: Final = 14 * 86_400.0
"""Seconds before its end from which on the log says so, once a day."""
_DAY: Final = 86_400.0
_MAX_BYTES: Final = 1024 * 1024


class Certificate:
    """A chain and its key, as listeners use them.

    Attributes:
        context: what a listener takes; its connections from now on get what was read last.
        names: host names and addresses that it is for.
        expires_at: when it ends, in seconds since the epoch.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        """Read the files, in PEM.

        Raises:
            ConfigurationError: a file can't be read, holds something else, or the key is another certificate's
                (`bad_certificate`).
        """
        self._chain = chain
        self._key = key
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen = self._times()
        self.names, self.expires_at = self._load()
        self._warned_at = 0.0

    def look(self) -> bool:
        """Read the files again if they have changed; tell whether they had. Raises as the constructor does."""
        times = self._times()
        if times == self._seen:
            return False
        self._seen = times
        self.names, self.expires_at = self._load()
        return True

    async def watch(self, clock: Callable[[], float], log: Log) -> None:
        """Look every minute for ever, and say in time that it ends; `clock` in seconds since the epoch."""
        while True:
            self._see(clock(), log)
            await asyncio.sleep(LOOK_EVERY)

    def _see(self, now: float, log: Log) -> None:
        try:
            if self.look():
                log.info("certificate_read_again", names=self.names, expires_at=_date(self.expires_at))
        except ConfigurationError as error:
            log.error("certificate_unreadable", why=error.message, kept_until=_date(self.expires_at))
        if self.expires_at - now < WARN_WITHIN and now - self._warned_at >= _DAY:
            self._warned_at = now
            log.warning("certificate_expires", at=_date(self.expires_at), files=[str(self._chain), str(self._key)])

    def _times(self) -> tuple[tuple[int, int], ...]:
        try:
            found = [path.stat() for path in (self._chain, self._key)]
        except OSError as error:
            raise _unusable(Path(error.filename), str(error.strerror)) from None
        return tuple((one.st_mtime_ns, one.st_ino) for one in found)

    def _load(self) -> tuple[tuple[str, ...], float]:
        first = _first_of(self._chain)
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for context in (trial, self.context):  # what does not fit must leave the one in use as it is
            try:
                context.load_cert_chain(self._chain, self._key, password=_no_password)
            except ssl.SSLError as error:
                raise _unusable(self._key, _why(error)) from None
            except OSError as error:
                raise _unusable(self._key, str(error.strerror)) from None
        return _names(first), first.not_valid_after_utc.timestamp()


def _first_of(path: Path) -> x509.Certificate:
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificates(file.read(_MAX_BYTES))[0]
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from None
    except ValueError:
        raise _unusable(path, "it holds no certificate in PEM") from None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        also = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()  # a common name alone is for nobody any more (RFC 9525 section 2)
    return (*also.get_values_for_type(x509.DNSName), *map(str, also.get_values_for_type(x509.IPAddress)))


def _why(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "it is the key of another certificate"
    return "it holds no unencrypted private key in PEM"


def _no_password() -> str:
    """OpenSSL asks at the terminal otherwise, and a server that starts by itself would wait there."""
    return ""


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} can't be used for TLS: {why}; --tls-cert or ATLAS_TLS_CERT names the certificate with its chain, "
        "--tls-key or ATLAS_TLS_KEY its key",
        code="bad_certificate",
    )


def _date(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")
