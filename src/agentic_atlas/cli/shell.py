"""`atlas completion`: what makes a shell complete commands, agents, skills and tasks."""

from __future__ import annotations

from typing import Annotated

from agentic_atlas.cli import output
from agentic_atlas.cli.command.declared import Argument

OFFER = "--complete"
"""The program's first word when a shell asks; the words that were typed follow."""

SCRIPTS = {
    "bash": f"""\
_atlas() {{
    local IFS=$'\\n'
    COMPREPLY=($(atlas {OFFER} "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2>/dev/null))
    [[ ${{COMPREPLY[0]}} != *= ]] || compopt -o nospace
}}
complete -o default -F _atlas atlas""",
    "zsh": f"""\
#compdef atlas
_atlas() {{
    local -a offered
    offered=("${{(@f)$(atlas {OFFER} "${{(@)words[2,CURRENT]}}" 2>/dev/null)}}")
    compadd -a offered || _files
}}
compdef _atlas atlas""",
    "fish": f"""\
complete -c atlas -a '(atlas {OFFER} (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'""",
}


def completion(*, shell: Annotated[str, Argument("SHELL", help="bash, zsh or fish.", choices=tuple(SCRIPTS))]) -> None:
    """Print what makes a shell complete commands, options, agents, skills and tasks.

    For the shell you are in: `source <(atlas completion bash)`, or zsh; `atlas completion fish | source`. In the file
    your shell begins with, it holds for all.
    """
    output.page(SCRIPTS[shell])
