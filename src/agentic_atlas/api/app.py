"""The HTTP application."""

from time import monotonic

from fastapi import FastAPI

from agentic_atlas._version import __version__
from agentic_atlas.api import agents, backups, describe, logins, page, system, tasks, users
from agentic_atlas.api.whereabouts import Whereabouts
from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.http import errors
from agentic_atlas.http.front import Front
from agentic_atlas.http.turns import Turns


def create_app(engine: Engine, whereabouts: Whereabouts | None = None, hosts: Hosts | None = None) -> FastAPI:
    """Return the API of `engine` as an ASGI application.

    Args:
        engine: what it is the API of.
        whereabouts: what people are told of where it is.
        hosts: names that requests may be for; without it addresses and local names alone.
    """
    # One flat list: routers that are included are searched anew for every request.
    routers = (tasks.router, agents.router, users.router, logins.router, system.router, backups.router, page.router)
    app = FastAPI(
        routes=[route for router in routers for route in router.routes],
        title="Agentic Atlas",
        version=__version__,
        description="A network of local agents: agents, tokens, tasks and their events.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        # A redirect would name the host that the request names.
        redirect_slashes=False,
    )
    app.add_middleware(Front, hosts=hosts or Hosts())
    app.state.engine = engine
    app.state.turns = Turns(monotonic)
    app.state.whereabouts = whereabouts or Whereabouts()
    errors.install(app)
    describe.install(app)
    return app
