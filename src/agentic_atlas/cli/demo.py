"""`atlas demo`: the whole story on this machine, with real processes, a real token and real questions."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentic_atlas.cli import output
from agentic_atlas.cli.children import Child, started
from agentic_atlas.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from agentic_atlas.sdk.blocking import BlockingTask, Client

AGENT = "document_search"
UP_WITHIN = 60.0
"""Seconds until platform and agent have to be up."""

ANSWER_WITHIN = 120.0
QUESTIONS = (
    "What happens to a task when the server is killed?",
    "Where does the token of an agent go?",
    "How does an agent come back after a cut?",
)
"""Asked of the product's own documents."""

_OWN_WORDS = 3
_LOOK_EVERY = 0.05


@dataclass(frozen=True)
class Stage:
    """What the demo has put up."""

    client: Client
    api_url: str
    router_url: str
    agent: Child
    folder: Path


def demo(
    folder: Annotated[
        Path | None, typer.Argument(help="Documents to ask about; without it, the product's own.", show_default=False)
    ] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the questions instead of waiting for yours.")] = False,
) -> None:
    """See the whole story on this machine: a network, an agent with its token, real questions, and what happened.

    Everything runs in processes of its own and in a temporary folder; nothing is left behind.
    """
    import uvicorn  # noqa: F401 - the platform's process needs it: without the extra, say so before anything starts

    documents = _documents(folder)
    with ExitStack() as ending:
        stage = ending.enter_context(_stage(documents))
        report = _first_task(stage)
        _tell_workflow(stage, report)
        for question in _questions(folder, documents):
            _ask(stage.client, question)
        if not once:
            _converse(stage)
    output.say("Stopped; nothing is left running.")


def _documents(folder: Path | None) -> Path:
    documents = (folder or _packaged("documents", "docs")).expanduser().resolve()
    if not documents.is_dir():
        raise ConfigurationError(f"{documents} is not a folder: name one with documents, or none for the product's own")
    return documents


def _packaged(name: str, in_repository: str) -> Path:
    """Return a folder that the wheel carries, or the repository's own when this runs from a clone."""
    carried = Path(__file__).parent / "examples" / name
    return carried if carried.is_dir() else Path(__file__).parents[3] / in_repository


@contextmanager
def _stage(documents: Path) -> Iterator[Stage]:
    from agentic_atlas.sdk import credentials
    from agentic_atlas.sdk.blocking import Client

    with tempfile.TemporaryDirectory(prefix="atlas-demo-") as temporary, ExitStack() as running:
        place = Path(temporary)
        output.say(f"Agentic Atlas demo over {documents}")
        platform = running.enter_context(_platform(place))
        told = _told(platform)
        key = credentials.read(place / "config" / "agentic-atlas" / "credentials.json").api_key(told["api_url"])
        client = running.enter_context(Client(told["api_url"], api_key=key))
        client.create_agent(AGENT, "Finds passages in documents on its owner's machine")
        token = client.create_token(AGENT, name="demo").token
        agent = running.enter_context(_agent(place, token, told["router_url"], documents))
        _until_online(client, agent)
        output.fields(
            [
                ("  platform", f"{told['api_url']}  (process {platform.process.pid})"),
                ("  router", told["router_url"]),
                ("  agent", f"{AGENT}  (process {agent.process.pid}, its token in its own .env)"),
            ]
        )
        yield Stage(client, told["api_url"], told["router_url"], agent, place)


@contextmanager
def _platform(place: Path) -> Iterator[Child]:
    from agentic_atlas.sdk.environment import for_child

    environ = for_child(
        XDG_CONFIG_HOME=str(place / "config"),
        ATLAS_DATA_DIR=str(place / "data"),
        ATLAS_HTTP_PORT="0",
        ATLAS_ROUTER_PORT="0",
    )
    command = [sys.executable, "-m", "agentic_atlas", "up", "--json"]
    with started("the platform", command, folder=place, environ=environ, log=place / "platform.log") as child:
        yield child


@contextmanager
def _agent(place: Path, token: str, router_url: str, documents: Path) -> Iterator[Child]:
    """Run the example agent as a user would: in a folder of its own, with its token in `.env`."""
    from agentic_atlas.sdk.environment import for_child

    folder = place / AGENT
    source = _packaged("document_search", "examples/document_search")
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("tests", "__pycache__", ".env", ".document_search"))
    env = folder / ".env"
    env.touch(mode=0o600)
    env.write_text(f"AGENT_JWT_TOKEN={token}\nROUTER_WS_URL={router_url}\nDOCUMENTS_FOLDER='{documents}'\n")
    command = [sys.executable, "agent.py"]
    with started("the agent", command, folder=folder, environ=for_child(), log=place / "agent.log") as child:
        yield child


def _told(platform: Child) -> dict[str, str]:
    """Return what `atlas up --json` says when it is up."""
    ends = time.monotonic() + UP_WITHIN
    while time.monotonic() < ends:
        for line in platform.log.read_text().splitlines():
            if line.startswith("{") and "api_url" in line:
                told: dict[str, str] = json.loads(line)
                return told
        platform.check()
        time.sleep(_LOOK_EVERY)
    raise Unavailable(f"the platform was not up after {UP_WITHIN:.0f} s")


def _until_online(client: Client, agent: Child) -> None:
    ends = time.monotonic() + UP_WITHIN
    while client.agent(AGENT).status != "online":
        agent.check()
        if time.monotonic() > ends:
            raise Unavailable(f"the agent was not connected after {UP_WITHIN:.0f} s")
        time.sleep(_LOOK_EVERY)


def _first_task(stage: Stage) -> BlockingTask:
    """Have the documents read, which the agent does on its own machine."""
    task = stage.client.submit(AGENT, "index")
    with output.progress("reading the documents …") as show:
        for event in task.events():
            stage.agent.check()
            if event.kind == "progress" and event.data.get("message"):
                show(str(event.data["message"]))
    report = task.result(ANSWER_WITHIN)
    output.say(f"\n{report['files_indexed']} files read, {report['files_skipped']} skipped.")
    return task


def _questions(folder: Path | None, documents: Path) -> list[str]:
    """Return what to ask: of our own documents what we know is in them, of others what their names are about."""
    if folder is None:
        return list(QUESTIONS)
    names = sorted(path.stem for path in documents.rglob("*") if path.is_file() and not path.name.startswith("."))
    about = [name.replace("_", " ").replace("-", " ") for name in dict.fromkeys(names)]
    return about[:: max(1, len(about) // _OWN_WORDS)][:_OWN_WORDS]


def _ask(client: Client, question: str) -> None:
    before = time.monotonic()
    answer: dict[str, Any] = client.call(AGENT, "search", {"query": question, "limit": 2})
    took = time.monotonic() - before
    output.say(f"\n> {question}   ({1000 * took:.0f} ms)")
    for hit in answer["hits"]:
        position = hit["position"]
        output.say(f"  {hit['file']}, {position['unit']} {position['number']}")
        output.say(f"    {' '.join(hit['snippet'].split())}")
    if not answer["hits"]:
        output.say("  nothing found")


def _converse(stage: Stage) -> None:
    """Ask what the person types, until they end it."""
    output.say(f"\nThe network stays up at {stage.api_url}. Ask a question of your own; Ctrl-C ends.")
    try:
        while question := input("> ").strip():
            _ask(stage.client, question)
    except (KeyboardInterrupt, EOFError):
        output.say("")


def _tell_workflow(stage: Stage, task: BlockingTask) -> None:
    """Print the workflow of the specification, from what the network has recorded."""
    from agentic_atlas.cli.workflow import workflow

    steps = workflow(stage.client.agent(AGENT), task.info, list(task.events()))
    begin = steps[0].at
    output.say("\nWhat happened, as recorded:")
    for step in steps:
        output.say(f"  {(step.at - begin).total_seconds():8.3f} s  {step.name:<9} {step.text}")
