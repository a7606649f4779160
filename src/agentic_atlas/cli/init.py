"""`atlas init`: a folder with a new agent in it, ready to run."""

from __future__ import annotations

import platform
import re
import shlex
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated

from agentic_atlas.cli import agent_env, connection, output
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.options import Json
from agentic_atlas.cli.tokens import ensure_agent
from agentic_atlas.errors import AtlasError, Forbidden, InvalidInput
from agentic_atlas.sdk import dotenv_file

ROUTER_URL = "ws://localhost:8080/ws"
API_URL = "http://localhost:8000"
SECONDS = 10.0
"""How long a new folder waits for the platform to give it a token."""
FILES = {
    "agent.py": "agent.py.txt",
    "test_agent.py": "test_agent.py.txt",
    ".env.example": "env.example.txt",
    ".gitignore": "gitignore.txt",
    "README.md": "README.md.txt",
}
"""File of the new folder, and the template it is made from."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")


@dataclass(frozen=True)
class AgentAccess:
    """Where the new agent will connect, and with what."""

    router_url: str = ROUTER_URL
    api_url: str = API_URL
    token: str = ""
    created: bool = False
    """The agent was new to the platform."""
    problem: str = ""
    """Why there is no token."""
    refused: bool = False
    """Whoever asks may make none, until somebody lets them."""


def init(
    *,
    name: Annotated[str, Argument(help="The agent's name: lower-case letters, digits, - and _.")],
    folder: Annotated[Path | None, Option("--folder", help="Where to; ./NAME by default.")] = None,
    json: Json = False,
) -> None:
    """Make a folder with a new agent.

    Its token is filled in when the platform is at hand.
    """
    check_name(name)
    target = folder or Path(name)
    _check_empty(target)
    place = _place(name)
    _write(target, name, place)
    if json:
        output.document(
            {"agent": name, "folder": str(target), "token": bool(place.token), "problem": place.problem or None}
        )
    else:
        _tell(target, name, place)


def check_name(name: str) -> None:
    """See that an agent can be called so.

    Raises:
        InvalidInput: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"`{name}` cannot be an agent's name: use lower-case letters, digits, - and _ inside")


def _check_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        elsewhere = "choose another place with --folder"
        if (folder / "agent.py").is_file():
            begun = f"an agent: go on with `cd {shlex.quote(str(folder))}` and `python agent.py`"
            raise InvalidInput(f"{folder} is there already and has {begun}, or {elsewhere}")
        raise InvalidInput(f"{folder} is there already and not empty: {elsewhere}, or another name")


def _place(name: str) -> AgentAccess:
    """Ask the platform for a token; without one, say why not: the folder is useful all the same."""
    try:
        return connection.run(_token(name), timeout=SECONDS)
    except AtlasError as error:
        return AgentAccess(problem=error.message, refused=isinstance(error, Forbidden))
    except TimeoutError:
        return AgentAccess(problem="the platform did not answer in time")


async def _token(name: str) -> AgentAccess:
    async with connection.connect() as atlas:
        me = await atlas.people.whoami()
        created = await ensure_agent(atlas, name)
        made = await atlas.tokens.create(name, name=platform.node())
        agent_env.warn_of_router(me, atlas.base_url)
        return AgentAccess(me.router_url or ROUTER_URL, me.api_url or atlas.base_url, made.token, created)


def _write(folder: Path, name: str, place: AgentAccess) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    values = {"name": name, "router_url": place.router_url, "api_url": place.api_url}
    templates = resources.files("agentic_atlas.cli") / "template"
    for target, template in FILES.items():
        text = Template((templates / template).read_text(encoding="utf-8")).substitute(values)
        (folder / target).write_text(text, encoding="utf-8")
    settings = {agent_env.TOKEN: place.token, agent_env.ROUTER: place.router_url, agent_env.API: place.api_url}
    dotenv_file.set_values(folder / ".env", settings)


def _tell(folder: Path, name: str, place: AgentAccess) -> None:
    shown = folder.resolve() if folder == Path() else folder
    if place.token:
        asked = connection.one_of_several()
        on = f" on {asked}" if asked else ""
        there = f", which is {on.strip() or 'on the platform'} already"
        made = f"the new agent `{name}`{on}" if place.created else f"the agent `{name}`{there}"
        output.say(f"Made {shown} for {made}. Its token is in {folder / '.env'}: never commit or share it.")
    else:
        output.say(f"Made {shown}. It has no token yet: {place.problem}")
    steps = [] if folder.resolve() == Path.cwd() else [f"cd {shlex.quote(str(folder))}"]
    if not place.token:
        once = "    (once you may)" if place.refused else ""
        steps.append(f"atlas tokens create {name} --create-agent --env .env{once}")
    steps += ["python agent.py", f"atlas call {name} greet name=Ada    (in another terminal)"]
    output.say("")
    output.say("Next:")
    for step in steps:
        output.say(f"  {step}")
