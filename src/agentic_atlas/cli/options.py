"""Options that several commands share, and what the shell is offered for them."""

from typing import Annotated

from agentic_atlas.cli import completion
from agentic_atlas.cli.command.declared import Argument, Option

Json = Annotated[bool, Option("--json", help="Print JSON, for programs.")]
AgentName = Annotated[str, Argument(help="An agent: name, or owner/name.", shell_complete=completion.agents)]
TaskId = Annotated[str, Argument(help="The task's id, or its beginning.", shell_complete=completion.tasks)]
OfAgent = Annotated[
    str | None, Option("--agent", metavar="AGENT", help="Only this agent's.", shell_complete=completion.agents)
]
Utc = Annotated[bool, Option("--utc", help="Show times in UTC, as ISO 8601.")]
Iso = Annotated[bool, Option("--iso", help="Show times as ISO 8601, with this machine's zone.")]
PlatformUrl = Annotated[
    str | None,
    Argument(help="The platform's address; without it the one you use now."),
]
