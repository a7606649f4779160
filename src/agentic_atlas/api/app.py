"""The HTTP application."""

from collections.abc import Iterable
from time import monotonic
from typing import Final

from agentic_atlas.api import (
    accounts,
    agents,
    attention,
    audit,
    backups,
    groups,
    invitations,
    logins,
    logs,
    page,
    resources,
    server,
    sessions,
    signing,
    single_sign_on,
    statistics,
    system,
    tasks,
    users,
)
from agentic_atlas.api.describe import Document
from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.cookies import Cookies
from agentic_atlas.http.routes import Refusal, Route, Routes
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import Whereabouts

_GROUPS: Final = (
    tasks, agents, users, groups, accounts, sessions, single_sign_on, invitations, logins, system, backups, audit,
    signing, resources, statistics, attention, logs, server, page,
)  # fmt: skip
ROUTES: Final = [route for group in _GROUPS for route in group.routes.routes]
"""All of the API."""


def create_app(
    application: Application,
    whereabouts: Whereabouts | None = None,
    hosts: Hosts | None = None,
    pages: Iterable[Route] = (),
    refusal: Refusal | None = None,
) -> Routes:
    """Return the API of `application`: what answers its requests.

    Args:
        application: what it is the API of.
        whereabouts: what people are told of where it is.
        hosts: names that requests may be for; without it addresses and local names alone.
        pages: routes of another door, which stand beside those of the API.
        refusal: what errors are answered with; without it, JSON.
    """
    where = whereabouts or Whereabouts()
    given = {
        Application: application,
        Turns: Turns(monotonic),
        Cookies: Cookies(where.api_url, tls=where.secure),
        Whereabouts: where,
        Document: Document(ROUTES),
    }
    return Routes([*ROUTES, *pages], given, hosts or Hosts(), refusal)
