"""The HTTP application."""

from fastapi import FastAPI

from agentic_atlas._version import __version__
from agentic_atlas.backend.api import agents, backups, describe, errors, logins, page, system, tasks, users
from agentic_atlas.backend.services.backend import Backend


def create_app(backend: Backend, router_url: str = "") -> FastAPI:
    """Return the API of `backend` as an ASGI application; `router_url` tells people where agents connect."""
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
    )
    app.state.backend = backend
    app.state.router_url = router_url
    errors.install(app)
    describe.install(app)
    return app
