"""Logins that wait for somebody's approval, in the manner of the device grant (RFC 8628).

A program without credentials begins a login and gets two codes. With the long device code it asks whether it may come
in. The short user code is for a person, who types it where they are logged in already, and so decides.

Pure: clock and randomness are arguments. Nothing of it is stored: when the process restarts, every login that waits is
forgotten, and whoever waits begins anew. Of both codes only the SHA-256 is held, and codes are found by it, so that the
time an answer takes tells nothing about a code.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from agentic_atlas.auth import digest, new_secret
from agentic_atlas.backend.engine.allowance import Allowance, Holders, neighbourhood, networks
from agentic_atlas.errors import Busy, Conflict, Forbidden, InvalidInput, NotFound
from agentic_atlas.protocol.caller.people import LoginCodes

LIFETIME = 600.0
"""Seconds in which a login has to be approved and fetched."""
INTERVAL = 5.0
"""Seconds between two questions with a device code; whoever asks sooner has to wait so much longer (RFC 8628, 3.5)."""
LONGEST_INTERVAL = 60.0
"""Seconds that the interval grows to, at the most, for one who asks too often."""
KEY_LIFETIME = 90 * 86_400.0
"""Seconds that an API key from a login is good for: it lies on a machine that its user may not think of any more."""
MOST_PENDING = 1_000
"""Logins that wait at the same time; for one more the oldest goes of the network that has begun most of them."""
MOST_APPROVED = 500
"""Of these, those that are approved and not fetched; for one more the oldest goes of the user who approved most."""
BEGUN_PER_MINUTE = 10
"""Logins that one address may begin."""
WRONG_PER_MINUTE = 10
"""Wrong user codes that one user may type: while 1,000 of the 20⁸ codes wait, a year of guessing finds 0.2 of them."""

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""Letters of a user code: none that spell words, no digits to take for them (RFC 8628, 6.1)."""
CODE_LENGTH = 8
"""Letters of a user code."""
DEVICE_PREFIX = "atlas_login_"

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
"""A name, and no sentence: whoever approves reads it."""


@dataclass
class Login:
    """Who wants to be let in, as far as it is known before anybody vouches for them, and what became of it."""

    host: str
    """Name of their machine, by their own account."""
    address: str
    """Network address the question came from; a proxy's, when there is one in between."""
    asked_at: float
    """Seconds (Unix), as the next one."""
    expires_at: float
    device: bytes
    """Digest of the code that who waits asks with."""
    user: bytes
    """Digest of the code that a person types."""
    interval: float = INTERVAL
    polled_at: float | None = None
    denied: bool = False
    key_digest: bytes | None = None


class Logins:
    """The logins under way. Each is decided once and fetched once; guesses, and what is held, are bounded.

    Attributes:
        key_lifetime: seconds that the API key of a login is good for.
    """

    def __init__(self, key_lifetime: float = KEY_LIFETIME) -> None:
        self.key_lifetime = key_lifetime
        self._by_device: dict[bytes, Login] = {}
        self._by_user: dict[bytes, Login] = {}
        self._waiting = Holders[bytes]()
        """All that nobody has approved, by the network that they were begun in."""
        self._approved = Holders[bytes]()
        """The others, by who approved them."""
        self._begun = Allowance(BEGUN_PER_MINUTE, 60.0)
        self._wrong = Allowance(WRONG_PER_MINUTE, 60.0)

    def __len__(self) -> int:
        return len(self._by_device)

    def begin(self, host: str, address: str, *, now: float, entropy: Callable[[int], bytes]) -> LoginCodes:
        """Begin a login for whoever asks.

        Raises:
            Busy: too many were begun from this address.
            InvalidInput: the host's name is none.
        """
        if not _HOST.fullmatch(host):
            raise InvalidInput(
                "a host's name is 1 to 64 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
                code="invalid_name",
            )
        self._expire(now)
        place = neighbourhood(address)
        wait = self._begun.wait(place, now)
        if wait > 0:
            raise Busy("too many logins were begun from this address: try again later", retry_after=wait)
        user_code = _new_user_code(entropy)
        user, where = digest(user_code), networks(address)
        if user in self._by_user:
            raise Busy("another login has this code: try again", retry_after=1.0)
        if len(self._by_device) >= MOST_PENDING:
            self._make_room(self._waiting)
        self._begun.take(place, now, where)
        device_code = new_secret(DEVICE_PREFIX, entropy)
        login = Login(host, address, now, now + LIFETIME, digest(device_code), user)
        self._by_device[login.device] = self._by_user[user] = login
        self._waiting.put(login.device, where)
        return LoginCodes(
            device_code=device_code,
            user_code=f"{user_code[:4]}-{user_code[4:]}",
            expires_in=LIFETIME,
            interval=INTERVAL,
        )

    def find(self, user_code: str, *, user_id: str, now: float) -> Login:
        """Return who asks with this code; `user_id` is who typed it.

        Raises:
            NotFound: no undecided login has this code (`login_code_not_found`).
            Busy: the user typed too many wrong codes.
        """
        return self._undecided(user_code, user_id, now)

    def approve(self, user_code: str, *, user_id: str, key_digest: bytes, now: float) -> Login:
        """Let the applicant in, on the strength of this API key; raises as `find` does."""
        login = self._undecided(user_code, user_id, now)
        login.key_digest = key_digest
        del self._by_user[login.user]
        self._waiting.drop(login.device)
        self._approved.put(login.device, (user_id,))
        if len(self._approved) > MOST_APPROVED:
            self._make_room(self._approved)
        return login

    def deny(self, user_code: str, *, user_id: str, now: float) -> Login:
        """Do not let the applicant in; raises as `find` does."""
        login = self._undecided(user_code, user_id, now)
        login.denied = True
        del self._by_user[login.user]
        return login

    def collect(self, device_code: str, *, now: float) -> tuple[Login, bytes]:
        """Return who was approved, and the digest of the API key that they were approved with, once.

        Raises:
            Conflict: nobody has decided yet (`authorization_pending`).
            Busy: asked too soon; the interval is longer from now on (`slow_down`).
            Forbidden: it was denied (`access_denied`).
            NotFound: its time is over, it was collected, or there never was one (`expired_token`).
        """
        self._expire(now)
        login = self._by_device.get(digest(device_code))
        if login is None:
            raise NotFound("this login is over or was never begun: begin a new one", code="expired_token")
        _poll(login, now)
        if login.denied:
            raise Forbidden("the login was denied", code="access_denied")
        if login.key_digest is None:
            raise Conflict("nobody has approved the login yet", code="authorization_pending")
        self._forget(login)
        return login, login.key_digest

    def _undecided(self, user_code: str, user_id: str, now: float) -> Login:
        self._expire(now)
        wait = self._wrong.wait(user_id, now)
        if wait > 0:
            raise Busy("too many wrong codes: try again later", retry_after=wait)
        login = self._by_user.get(digest(_plain(user_code)))
        if login is None:
            self._wrong.take(user_id, now)
            raise NotFound(
                "no login waits for this code: a code is good for 10 minutes and for one decision",
                code="login_code_not_found",
            )
        return login

    def _expire(self, now: float) -> None:
        # They are held in the order they were begun in, and live equally long.
        while self._by_device:
            login = next(iter(self._by_device.values()))
            if now < login.expires_at:
                return
            self._forget(login)

    def _make_room(self, among: Holders[bytes]) -> None:
        """Whoever has most of these loses the oldest; those of all others stay."""
        going = among.first_of_the_largest()
        if going is not None:
            self._forget(self._by_device[going])

    def _forget(self, login: Login) -> None:
        del self._by_device[login.device]
        self._by_user.pop(login.user, None)
        self._waiting.drop(login.device)
        self._approved.drop(login.device)


def _poll(login: Login, now: float) -> None:
    last, login.polled_at = login.polled_at, now
    if last is not None and now - last < login.interval:
        login.interval = min(LONGEST_INTERVAL, login.interval + INTERVAL)
        raise Busy("asked too soon: wait longer in between", retry_after=login.interval, code="slow_down")


def _plain(user_code: str) -> str:
    """Return a user code as it is held, however it was typed."""
    return "".join(user_code.upper().replace("-", "").split())


def _new_user_code(entropy: Callable[[int], bytes]) -> str:
    """Return a new user code; what the division leaves uneven is less than 2⁻⁹³."""
    number = int.from_bytes(entropy(16), "big")
    letters = []
    for _ in range(CODE_LENGTH):
        number, letter = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[letter])
    return "".join(letters)
