"""Users and their API keys, as the API shows them."""

from datetime import datetime

import msgspec

from agentic_atlas.api.views.times import at, maybe
from agentic_atlas.backend.domain.records import (
    ApiKey,
    User,
)


class UserView(msgspec.Struct):
    """A user."""

    id: str
    name: str
    role: str
    disabled: bool
    created_at: datetime


class UserPage(msgspec.Struct):
    """Part of a list of users, by name."""

    items: list[UserView]
    next: str | None


class KeyView(msgspec.Struct):
    """An API key, without its secret."""

    id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeyView(KeyView):
    """A new API key, with its secret: shown this once."""

    user: str
    key: str


class KeyPage(msgspec.Struct):
    """API keys, newest first."""

    items: list[KeyView]


class WhoView(msgspec.Struct):
    """Who asks, and where."""

    user: UserView
    api_key: KeyView
    network: str
    version: str
    router_url: str
    """Where agents connect."""
    api_url: str
    """The API as others see it; empty: it is where it was asked."""


def user_view(user: User) -> UserView:
    """Show a user."""
    return UserView(user.id, user.name, user.role.value, user.disabled_at is not None, at(user.created_at))


def key_view(key: ApiKey) -> KeyView:
    """Show an API key."""
    return KeyView(key.id, key.name, at(key.created_at), maybe(key.expires_at), maybe(key.revoked_at))


def new_key_view(key: ApiKey, user: User, secret: str) -> NewKeyView:
    """Show a new API key with its secret."""
    return NewKeyView(**msgspec.structs.asdict(key_view(key)), user=user.name, key=secret)
