"""Those who are at the identity provider now, and are to come back. Pure: clock and randomness are arguments.

What they come back with counts only in the browser that they were sent off in, once: a cookie in it has a secret, by
whose digest is found what only this process knows. Nothing is stored: after a restart they begin anew.
"""

from collections.abc import Callable

import msgspec

from agentic_atlas.auth import base64url, digest, new_secret
from agentic_atlas.backend.accounts import SIGN_ON_LIFETIME
from agentic_atlas.backend.domain.people import Account, Entry, with_password_of
from agentic_atlas.backend.engine.allowance import Allowance, Holders, neighbourhood, networks
from agentic_atlas.errors import Busy, Unauthenticated

MOST_SIGNING_ON = 1_000
"""People who are at the identity provider at the same time; for one more, the first of the network with most goes."""
SIGN_ONS_PER_MINUTE = 30
"""Times in a minute that one address is sent to the identity provider."""
SIGN_ON_PREFIX = "atlas_oidc_"
_BYTES = 32


class Linker(msgspec.Struct, frozen=True):
    """Who wants to be known by an identity too, and how it is told that it is still them once they are back."""

    user_id: str
    credential: bytes
    """Digest of what they have shown."""
    password_at: float | None
    """When their password was set; None: they have none."""

    @property
    def entry(self) -> Entry:
        """Let in who is not disabled, and whose password is still the one that they began with."""
        return with_password_of(Account(self.user_id, password_at=self.password_at))


class Departure(msgspec.Struct, frozen=True):
    """Somebody who was sent to the identity provider."""

    state: str
    """What comes back in the address (RFC 6749 section 10.12)."""
    nonce: str
    """What comes back in what the provider signs."""
    verifier: str
    """What only this process can show for the code (RFC 7636)."""
    redirect_uri: str
    begun_at: float
    linker: Linker | None = None
    """Whom the identity is to be linked to; None: they log in."""

    def __repr__(self) -> str:
        return "Departure(…)"


class SigningOn:
    """Departures, bounded."""

    def __init__(self) -> None:
        self._away: dict[bytes, Departure] = {}
        self._holders = Holders[bytes]()
        self._begun = Allowance(SIGN_ONS_PER_MINUTE, 60.0)

    def depart(
        self,
        redirect_uri: str,
        address: str,
        entropy: Callable[[int], bytes],
        now: float,
        linker: Linker | None = None,
    ) -> tuple[Departure, str]:
        """Somebody at this address is sent off; return that with the secret for their browser.

        Raises:
            Busy: too many were sent off from there (`too_many_logins`).
        """
        self._expire(now)
        place = neighbourhood(address)
        wait = self._begun.wait(place, now)
        if wait > 0:
            raise Busy("too many people log in: try again", code="too_many_logins", retry_after=wait)
        if len(self._away) >= MOST_SIGNING_ON and (going := self._holders.first_of_the_largest()) is not None:
            self._gone(going)
        where = networks(address)
        self._begun.take(place, now, where)
        state, nonce, verifier = (base64url.encode(entropy(_BYTES)) for _ in range(3))
        departure = Departure(state, nonce, verifier, redirect_uri, now, linker)
        secret = new_secret(SIGN_ON_PREFIX, entropy)
        key = digest(secret)
        self._away[key] = departure
        self._holders.put(key, where)
        return departure, secret

    def back(self, secret: str, state: str, now: float) -> Departure:
        """Somebody is back in this browser, with this state, once.

        Raises:
            Unauthenticated: nobody was sent off in it, or not with that, or too long ago (`login_failed`).
        """
        self._expire(now)
        departure = self._gone(digest(secret))
        if departure is None or digest(departure.state) != digest(state):
            raise Unauthenticated(
                "this log-in was not begun in this browser, or is over: begin it anew", code="login_failed"
            )
        return departure

    def _expire(self, now: float) -> None:
        while self._away:  # in the order in which they left
            key, departure = next(iter(self._away.items()))
            if now < departure.begun_at + SIGN_ON_LIFETIME:
                return
            self._gone(key)

    def _gone(self, key: bytes) -> Departure | None:
        self._holders.drop(key)
        return self._away.pop(key, None)
