"""`atlas completion`: what makes a shell complete commands, agents, skills and tasks; and what it is offered then."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Annotated

import click

from agentic_atlas.cli import output
from agentic_atlas.cli.command.declared import Argument
from agentic_atlas.errors import AtlasError

PROGRAM = "atlas"
SHELLS = ("bash", "zsh", "fish")
ASKED = "_ATLAS_COMPLETE"
"""Set by a shell that asks how what is typed may go on, as click has it."""


def completion(*, shell: Annotated[str, Argument(type=click.Choice(SHELLS), help="Your shell.")]) -> None:
    """Print what makes a shell complete commands, options, agents, skills and tasks.

    For the shell you are in: `source <(atlas completion bash)`, or zsh; `atlas completion fish | source`. In the file
    your shell begins with, it holds for all.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    script = found(click.get_current_context().find_root().command, {}, PROGRAM, ASKED).source()
    # A name that ends with `=` wants its value behind it, not a space.
    unspaced = "    [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace\n\n    return 0\n"
    output.page((script.replace("    return 0\n", unspaced) if shell == "bash" else script).rstrip())


def offered(root: click.Command) -> bool:
    """Answer a shell that asks how what is typed may go on; tell whether one does."""
    asked = os.environ.get(ASKED)  # noqa: TID251 - click's way of asking, together with COMP_WORDS and COMP_CWORD
    if asked is None:
        return False
    from click.shell_completion import shell_complete

    with suppress(AtlasError):  # Of a command of the server, which is not installed here.
        shell_complete(root, {}, PROGRAM, ASKED, asked)
    return True
