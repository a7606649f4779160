"""The HTTP application."""

from time import monotonic

from fastapi import FastAPI
from starlette.types import ASGIApp

from agentic_atlas._version import __version__
from agentic_atlas.api import agents, backups, describe, logins, page, system, tasks, users
from agentic_atlas.api.whereabouts import Whereabouts
from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.front import Front
from agentic_atlas.http.routes import Routes
from agentic_atlas.http.turns import Turns


def create_app(application: Application, whereabouts: Whereabouts | None = None, hosts: Hosts | None = None) -> ASGIApp:
    """Return the API of `application` as an ASGI application.

    Args:
        application: what it is the API of.
        whereabouts: what people are told of where it is.
        hosts: names that requests may be for; without it addresses and local names alone.
    """
    app = described()
    app.state.application = application
    app.state.turns = Turns(monotonic)
    app.state.whereabouts = whereabouts or Whereabouts()
    return Front(Routes(app), hosts or Hosts())


def described() -> FastAPI:
    """Return all routes as FastAPI describes them; they are run by `http.routes`."""
    routers = (tasks.router, agents.router, users.router, logins.router, system.router, backups.router, page.router)
    app = FastAPI(
        routes=[route for router in routers for route in router.routes],
        title="Agentic Atlas",
        version=__version__,
        description="A network of local agents: agents, tokens, tasks and their events.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    describe.install(app)
    return app
