"""All pages, in one table, and what errors are answered with among them."""

from typing import Final

from agentic_atlas.http.routes import Route
from agentic_atlas.platform import assets
from agentic_atlas.platform.page import PAGES
from agentic_atlas.platform.pages import (
    agent,
    agent_settings,
    agents,
    approval,
    comparison,
    live,
    login,
    overview,
    palette,
    skill,
    task,
    tasks,
    tokens,
)
from agentic_atlas.platform.pages.settings import (
    about,
    account,
    audit,
    groups,
    keys,
    limits,
    people,
    person,
    sessions,
    signing,
)
from agentic_atlas.platform.refused import refusal

_GROUPS: Final = (
    overview.pages,
    agents.pages,
    tokens.pages,
    agent.pages,
    skill.pages,
    agent_settings.pages,
    tasks.pages,
    task.pages,
    comparison.pages,
    account.pages,
    sessions.pages,
    people.pages,
    person.pages,
    groups.pages,
    keys.pages,
    signing.pages,
    audit.pages,
    limits.pages,
    about.pages,
    login.pages,
    approval.pages,
    live.pages,
    palette.pages,
    assets.routes,
)

ROUTES: Final[list[Route]] = [route for group in _GROUPS for route in group.routes]
"""All there is of the platform."""

__all__ = ["PAGES", "ROUTES", "refusal"]
