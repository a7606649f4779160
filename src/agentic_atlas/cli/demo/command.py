"""The story, told in order: the workflow of the first task, answers, and one question that goes through all agents."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from agentic_atlas.cli import interrupts, output
from agentic_atlas.cli.command.declared import Argument, Option
from agentic_atlas.cli.demo import markdown
from agentic_atlas.cli.demo.stage import DemoNetwork, folder_of, stage
from agentic_atlas.errors import ConfigurationError

if TYPE_CHECKING:
    from agentic_atlas.sdk.client.blocking import BlockingTask, Client

DISTRIBUTION = "agentic-atlas"
SEARCH = "document_search"
ANSWER_WITHIN = 120.0
QUESTIONS = (
    "What happens to a task when the server is killed?",
    "Where does the token of an agent go?",
)
"""Asked of the product's own documents."""

_OWN_QUESTIONS = 2
_SKIPPED_SHOWN = 10


def demo(
    folder: Annotated[Path | None, Argument(help="Documents to ask about; without it, the product's own.")] = None,
    *,
    once: Annotated[bool, Option("--once", help="End after the questions instead of waiting for yours.")] = False,
) -> None:
    """See the whole story on this machine: a network, four agents with their tokens, real questions, what happened.

    Everything runs in processes of its own and in a temporary folder; your own network and data are not touched, and
    nothing is left behind. ATLAS_LOG_LEVEL counts for all of them; their logs are in that folder.
    """
    import httptools  # noqa: F401 - the platform's process needs it: without the extra, say so before anything starts

    from agentic_atlas.settings import read

    _check_examples()

    documents = folder_of(folder)
    output.say(f"Agentic Atlas demo over {documents}")
    own = read().data_dir
    if own.exists():
        output.say(f"  Your own data in {own} is not touched: the demo's is in a temporary folder.")
    with ExitStack() as ending:
        # So that what was started is ended, whichever signal ends this.
        ending.enter_context(interrupts.raised())
        up = ending.enter_context(stage(documents))
        first = _first_task(up)
        _tell_workflow(up, first)
        questions = list(QUESTIONS) if folder is None else _own_questions(documents)
        for question in questions:
            _ask(up.client, question)
        _research(up, f"{questions[0]} How many documents are there per kind? Is this machine healthy?")
        if not once:
            _converse(up)
    output.say("")
    output.say("Stopped; nothing is left running.")


def _check_examples() -> None:
    """See that what the example agents import is installed, before anything starts.

    Raises:
        ConfigurationError: it is not all there.
    """
    needed = (line for line in metadata.requires(DISTRIBUTION) or [] if re.search(r"extra\s*==\s*.examples\b", line))
    missing = [name for name in (re.split(r"[^\w.-]", line)[0] for line in needed) if not _installed(name)]
    if missing:
        names = ", ".join(missing)
        raise ConfigurationError(f'the agents of the demo need {names}: pip install "{DISTRIBUTION}[all]"')


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _first_task(up: DemoNetwork) -> BlockingTask:
    """Have the documents read, which the agent does on its own machine."""
    task = up.client.submit(SEARCH, "index")
    with output.progress("reading the documents …") as show:
        for event in task.events():
            up.check()
            if event.kind == "progress" and event.data.get("message"):
                show(str(event.data["message"]))
    report = task.result(ANSWER_WITHIN)
    output.say("")
    output.say(f"{report['files_indexed']} files read, {report['files_skipped']} skipped.")
    for skipped in report["skipped"][:_SKIPPED_SHOWN]:
        output.say(f"  {skipped['file']}: {skipped['reason']}")
    return task


def _tell_workflow(up: DemoNetwork, task: BlockingTask) -> None:
    """Print the workflow of the specification, from what the network has recorded."""
    from agentic_atlas.cli.demo.workflow import workflow

    steps = workflow(up.client.agents.get(SEARCH), task.info, list(task.events()))
    begin = steps[0][0]
    output.say("")
    output.say("What happened, as recorded:")
    for at, name, text in steps:
        output.say(f"  {(at - begin).total_seconds():8.3f} s  {name:<9} {text}")


def _own_questions(documents: Path) -> list[str]:
    """Return what to ask of somebody's documents: what their names are about."""
    names = sorted(path.stem for path in documents.rglob("*") if path.is_file() and not path.name.startswith("."))
    about = [name.replace("_", " ").replace("-", " ") for name in dict.fromkeys(names)] or ["anything"]
    return [f"What is said about {one}?" for one in about[:: max(1, len(about) // _OWN_QUESTIONS)][:_OWN_QUESTIONS]]


def _ask(client: Client, question: str) -> None:
    before = time.monotonic()
    answer: dict[str, Any] = client.call(SEARCH, "search", {"query": question, "limit": 2})
    took = time.monotonic() - before
    output.say("")
    output.say(f"> {question}   ({1000 * took:.0f} ms)")
    for hit in answer["hits"]:
        position = hit["position"]
        output.say(f"  {hit['file']}, {position['unit']} {position['number']}")
        output.say(f"    {markdown.plain(' '.join(hit['snippet'].split()))}")
    if not answer["hits"]:
        output.say("  nothing found")


def _research(up: DemoNetwork, question: str) -> None:
    """Ask the agent that asks the others; show its report as it streams, then who called whom."""
    from agentic_atlas.cli.demo.trace import tree

    output.say("")
    output.say(f"> {question}")
    task = up.client.submit("research", "report", question=question)
    for event in task.events():
        piece = event.data.get("value") if event.kind == "chunk" else None
        if isinstance(piece, dict) and piece.get("kind") == "section":
            output.say("")
            output.say(f"  {markdown.plain(str(piece['title']))}")
            for line in markdown.shown(str(piece["text"])):
                output.say(f"    {line}".rstrip())
    task.result(ANSWER_WITHIN)
    output.say("")
    output.say("Who called whom:")
    branches = tree(up.client.tasks.list(trace=task.info.trace_id))
    begin = min((one.created_at for _, one in branches), default=task.info.created_at)
    for lines, one in branches:
        name = f"{lines}{one.agent.rpartition('/')[2]}.{one.skill}"
        took = "" if one.ended_at is None else f"{(one.ended_at - one.created_at).total_seconds():7.3f} s"
        output.say(f"  {(one.created_at - begin).total_seconds():7.3f} s  {name:<40} {took}  {one.state}")


def _converse(up: DemoNetwork) -> None:
    """Ask what the person types, until they end it."""
    output.say("")
    output.say(f"The network stays up at {up.api_url}. Ask a question of your own; Ctrl-C ends.")
    try:
        while question := input("> ").strip():
            _ask(up.client, question)
    except (KeyboardInterrupt, EOFError):
        output.say("")
