"""Options that several commands share, and what the shell is offered for them."""

from typing import Annotated

import typer

from agentic_atlas.cli import completion

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
AgentName = Annotated[
    str, typer.Argument(metavar="AGENT", help="An agent: name, or owner/name.", autocompletion=completion.agents)
]
TaskId = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]
OfAgent = Annotated[str | None, typer.Option("--agent", help="Only this agent's.", autocompletion=completion.agents)]
PlatformUrl = Annotated[
    str | None,
    typer.Argument(metavar="URL", help="The platform's address; without it the one you use now.", show_default=False),
]
