"""Who is let in with a password. Neither an answer nor the time for it tells whether an account is there."""

from agentic_atlas.auth import digest
from agentic_atlas.backend.accounts import LoggedOut, Passwords, SignOn
from agentic_atlas.backend.domain.people import (
    Account,
    Entry,
    Visitor,
    login_failed,
    not_your_password,
    renew_hash,
    session_over,
    take_recovery,
    take_step,
    with_password_of,
)
from agentic_atlas.backend.domain.records import User
from agentic_atlas.backend.engine.feed import Feed
from agentic_atlas.backend.engine.guesses import Guesses
from agentic_atlas.backend.engine.logged_in import LoggedIn, SessionTimes
from agentic_atlas.backend.engine.signing_on import SigningOn
from agentic_atlas.backend.ports import Clock, Store
from agentic_atlas.backend.rights import Principal, key_expired, key_invalid, log_in_again, logged_in_now
from agentic_atlas.errors import Busy, Unauthenticated


class People:
    """What people come in by.

    Attributes:
        logged_in: the sessions of those who have.
        passwords: hashes passwords.
        sign_on: single sign-on, where the network has it.
        signing_on: those who are at its provider now.
    """

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        clock: Clock,
        times: SessionTimes,
        feed: Feed,
        sign_on: SignOn | None = None,
    ) -> None:
        """`feed`: where they watch tasks, until they are logged in no more."""
        self.logged_in = LoggedIn(store.sessions, clock, times)
        self.passwords = passwords
        self.sign_on = sign_on
        self.signing_on = SigningOn()
        self._store = store
        self._feed = feed
        self._clock = clock
        self._guesses = Guesses()

    async def verified(self, name: str, password: str, code: str, visitor: Visitor) -> tuple[User, Entry]:
        """Return the user of this name whose password this is, and whose one-time password, where they have one.

        What lets them in has to hold still when it is written that they came in: the password is looked at for long.

        Raises:
            Unauthenticated: it is not (`login_failed`), or a one-time password is missing (`code_required`).
            Busy: too many tries were wrong (`too_many_logins`), or too many one-time passwords (`too_many_codes`).
        """
        user = await self._store.users.by_name(name)
        account = await self._account(name, user, password, code, visitor)
        if user is None or user.disabled_at is not None or account is None:
            raise login_failed()
        return user, with_password_of(account)

    async def confirmed(self, user: User, password: str, visitor: Visitor) -> Account:
        """Return what the user logs in with, who is logged in and says their password again.

        Raises:
            Unauthenticated: it is not theirs (`login_failed`). Busy: as `verified`.
        """
        account = await self._account(user.name, user, password, None, visitor)
        if account is None:
            raise not_your_password()
        return account

    async def certain(self, who: Principal, password: str, visitor: Visitor) -> Account:
        """Return what somebody logs in with of whom it is certain that it is them, and not who found their browser.

        They say their password again, or have logged in a moment ago where they have none.

        Raises:
            Unauthenticated: it is not theirs (`login_failed`). Busy: as `verified`.
            Forbidden: they have none, and come with an API key or a session that is older (`log_in_again`).
        """
        account = await self._store.accounts.get(who.user.id) or Account(who.user.id)
        if account.password:
            return await self.confirmed(who.user, password, visitor)
        if not logged_in_now(who, self._clock()):
            raise log_in_again("your account has no password to say again")
        return account

    async def behind(self, credential: bytes) -> Principal:
        """Return who came with the key or session of this digest a while ago, if it is good still; it is not used.

        Raises Unauthenticated.
        """
        found = await self._store.users.key_by_digest(credential)
        if found is None:
            return await self.logged_in.known_by(credential, anew=True)
        key, user = found
        if key.revoked_at is not None or user.disabled_at is not None:
            raise key_invalid()
        if key.expires_at is not None and key.expires_at <= self._clock():
            raise key_expired()
        return Principal(user, key, key.scopes)

    async def end(self, *, user_id: str | None, id: str | None = None, but: str = "") -> list[str]:
        """End sessions of a user, or of anybody with None: the one with this id, or all `but` one.

        Returns their ids.
        """
        ended = await self._store.sessions.end(self._clock(), user_id=user_id, id=id, but=but)
        self._ended(ended)
        return ended

    def logged_out(self, ended: LoggedOut) -> None:
        """These are over, for there is another password."""
        sessions, keys = ended
        self._ended(sessions)
        for key_id in keys:
            self._feed.refuse(key_id, key_invalid())

    def _ended(self, sessions: list[str]) -> None:
        self.logged_in.forget()
        for session_id in sessions:
            self._feed.refuse(session_id, session_over())

    async def _account(
        self, name: str, user: User | None, password: str, code: str | None, visitor: Visitor
    ) -> Account | None:
        """Return the account that all this is right for; `code` None: none is asked for."""
        user_id = user.id if user is not None else ""
        account = await self._store.accounts.get(user_id) or Account(user_id)
        known = bool(visitor.device) and await self._store.sessions.knows(user_id, visitor.device_digest)
        tried = (name, visitor.address, visitor.device_digest.hex() if known else "")
        self._guesses.begin(*tried, self._clock())
        # Who says it again is logged in.
        try:
            right, renewed = await self.passwords.check(password, account.password, known=known or code is None)
        except Busy:
            self._guesses.right(*tried)  # nobody has looked at it
            raise
        if not right:
            return None
        needed = code is not None and account.totp_at is not None
        if needed and not code:
            self._guesses.right(*tried)
            raise Unauthenticated(
                "this account has one-time passwords: say the one that your authenticator shows", code="code_required"
            )
        if needed and not await self._taken(account, code or "", tried):
            return None
        self._guesses.right(*tried)
        if renewed is not None:
            await self._store.accounts.change(user_id, renew_hash(account.password, renewed))
        return account

    async def _taken(self, account: Account, code: str, tried: tuple[str, str, str]) -> bool:
        """Tell whether a one-time password or recovery code is right, and take it: none is right twice.

        Raises Busy (`too_many_codes`): too many were wrong.
        """
        # An agent's test has an engine too, and not what the server needs for this.
        from agentic_atlas.auth.totp import matching_step, recovery_digest

        now, which, (*_, device) = self._clock(), digest(account.password).hex(), tried
        try:
            self._guesses.begin_code(which, device, now)
        except Busy:
            self._guesses.right(*tried)  # nobody has looked at it
            raise
        step = matching_step(account.totp, code, now)
        amend = take_recovery(recovery_digest(code)) if step is None else take_step(step)
        taken = await self._store.accounts.change(account.user_id, amend) is not None
        if taken:
            self._guesses.right_code(which, device)
        return taken
