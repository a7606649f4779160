"""How often somebody may try to log in. Pure: the clock is an argument.

Whoever guesses is slowed down, and nobody else. Tries are counted for each account at each address, so the right user
comes in from anywhere else; a browser that has logged in to the account before is counted by itself, so its user comes
in beside whoever guesses from the same address. An account that is tried from everywhere has fewer tries left at each
address, and never none: whoever has its password comes in.

One-time passwords are few, so who tries them behind the right password has few tries from wherever it is: nobody but
who has the password can have others wait there, and a browser that the account knows is counted by itself.

A try counts from its beginning, or a thousand at once would be one, and not at all when it was right. To make up names
costs nothing: when there is room for no more of them, the network that has said most makes place.
"""

from math import ceil
from typing import Final

from agentic_atlas.backend.engine.allowance import Allowance, neighbourhood, networks
from agentic_atlas.errors import Busy

TRIES = 10
"""Wrong tries at one account from one address, or from one browser that it knows, in `TRIES_WINDOW`."""
TRIES_WINDOW = 900.0
"""Seconds that a wrong try counts for its account, at its address."""
BESIEGED_TRIES = 2
"""The same at an account that is besieged."""
SIEGE = 100
"""Wrong tries at one account, from wherever, in `SIEGE_WINDOW`, from which on it is besieged."""
SIEGE_WINDOW = 3_600.0
"""Seconds that a wrong try counts for its account, from wherever it was."""
ADDRESS_TRIES = 100
"""Wrong tries from one address, at whichever account, in `TRIES_WINDOW`; browsers that are known do not count."""
CODE_TRIES = 30
"""Wrong one-time passwords behind the right password of one account, from wherever, or from one browser that it knows,
in `CODE_WINDOW`. Three of 10⁶ are right at a time: a year of guessing finds one with a chance of 3 %."""
CODE_WINDOW = 86_400.0
"""Seconds that a wrong one-time password counts, or until the account has another password."""

_HELD: Final = 50_000
"""Accounts and places that tries are counted for; when it is full, whoever has filled it makes place."""


class Guesses:
    """Who has tried to log in, and was wrong."""

    def __init__(self, held: int = _HELD) -> None:
        self._here = Allowance(TRIES, TRIES_WINDOW, keys=held)
        self._besieged = Allowance(BESIEGED_TRIES, TRIES_WINDOW, keys=held)
        self._account = Allowance(SIEGE, SIEGE_WINDOW, keys=held)
        self._address = Allowance(ADDRESS_TRIES, TRIES_WINDOW, keys=held)
        self._codes = Allowance(CODE_TRIES, CODE_WINDOW, keys=held)

    def begin(self, account: str, address: str, device: str, now: float) -> None:
        """Somebody tries an account: by its name, whether it is there or not.

        `device` is what is known of a browser that has logged in to the account before, else nothing. Raises Busy
        (`too_many_logins`) when they have to wait.
        """
        besieged = not device and self._account.wait(account, now) > 0
        wait = max(
            allowance.wait(key, now)
            for allowance, key in self._counts(account, address, device)
            if allowance is not self._account and (besieged or allowance is not self._besieged)
        )
        if wait > 0:
            raise Busy(
                f"too many log-ins failed: try again in {ceil(wait)} s", code="too_many_logins", retry_after=wait
            )
        where = networks(address)
        for allowance, key in self._counts(account, address, device):
            allowance.take(key, now, where)

    def right(self, account: str, address: str, device: str) -> None:
        """That try was right."""
        for allowance, key in self._counts(account, address, device):
            allowance.give_back(key)

    def begin_code(self, password: str, device: str, now: float) -> None:
        """Somebody who has said the right password says a one-time password.

        `password` tells accounts apart, and what they have had as password; `device` as in `begin`. Raises Busy
        (`too_many_codes`) when they have to wait.
        """
        wait = self._codes.wait(f"{password}\0{device}", now)
        if wait > 0:
            raise Busy(
                "too many one-time passwords were wrong, and whoever said them has this account's password: try again "
                f"in {ceil(wait)} s, or from a browser that has logged in before; another password ends that",
                code="too_many_codes",
                retry_after=wait,
            )
        self._codes.take(f"{password}\0{device}", now)

    def right_code(self, password: str, device: str) -> None:
        """That one was right."""
        self._codes.give_back(f"{password}\0{device}")

    def _counts(self, account: str, address: str, device: str) -> list[tuple[Allowance, str]]:
        """Return where a try counts."""
        place = neighbourhood(address)
        here = f"{account}\0{device or place}"
        everywhere = [(self._address, place), (self._account, account), (self._besieged, here)]
        return [(self._here, here), *([] if device else everywhere)]
