"""The HTTP application."""

from time import monotonic
from typing import Final

from agentic_atlas.api import (
    accounts,
    agents,
    audit,
    backups,
    groups,
    invitations,
    login_page,
    logins,
    page,
    sessions,
    signing,
    single_sign_on,
    system,
    tasks,
    users,
)
from agentic_atlas.api.describe import Document
from agentic_atlas.api.whereabouts import Whereabouts
from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.cookies import Cookies
from agentic_atlas.http.routes import Routes
from agentic_atlas.http.turns import Turns

_GROUPS: Final = (
    tasks, agents, users, groups, accounts, sessions, single_sign_on, invitations, logins, system, backups, audit,
    signing, page, login_page,
)  # fmt: skip
ROUTES: Final = [route for group in _GROUPS for route in group.routes.routes]
"""All of the API."""


def create_app(application: Application, whereabouts: Whereabouts | None = None, hosts: Hosts | None = None) -> Routes:
    """Return the API of `application`: what answers its requests.

    Args:
        application: what it is the API of.
        whereabouts: what people are told of where it is.
        hosts: names that requests may be for; without it addresses and local names alone.
    """
    where = whereabouts or Whereabouts()
    given = {
        Application: application,
        Turns: Turns(monotonic),
        Cookies: Cookies(where.api_url, tls=where.secure),
        Whereabouts: where,
        Document: Document(ROUTES),
    }
    return Routes(ROUTES, given, hosts or Hosts())
