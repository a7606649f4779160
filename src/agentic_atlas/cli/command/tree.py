"""The commands, by name. A command's module is loaded when it is called: listing them costs nothing."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from agentic_atlas.cli import output
from agentic_atlas.cli.command.declared import parameters
from agentic_atlas.errors import ConfigurationError


def _show_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: FBT001 - as click calls it
    if value and not ctx.resilient_parsing:
        output.page(ctx.get_help())
        ctx.exit()


HELP = click.Option(
    ["-h", "--help"], is_flag=True, is_eager=True, expose_value=False, callback=_show_help, help="Show this help."
)
"""What every command has, unless it declares another option of that name."""


class Command(click.Command):
    """A function that is called with what was typed."""

    def __init__(self, place: str, summary: str, needs: str = "", **attributes: Any) -> None:
        """Take what is known before the module is loaded; the attributes are those of `click.Command`.

        Args:
            place: `module:function` below `agentic_atlas.cli`.
            summary: its line in the list of commands.
            needs: the extra of the distribution without which it does not work.
        """
        super().__init__(None, short_help=summary, **attributes)
        self._place = place
        self._needs = needs

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        """Load the function, and read what was typed.

        Raises:
            ConfigurationError: what it needs is not installed.
        """
        module, _, name = self._place.partition(":")
        try:
            function = getattr(import_module(f"agentic_atlas.cli.{module}"), name)
        except ModuleNotFoundError as error:
            raise self._missing(error) from error
        self.callback = function
        self.params = parameters(function)
        if not any("--help" in one.opts for one in self.params):
            self.params.append(HELP)
        # What is indented stays as it is: click asks for a mark above.
        self.help = re.sub(r"\n\n(?= )", "\n\n\b\n", inspect.getdoc(function) or "")
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what was typed. Help that is asked for is shown beside mistakes, too, in place of a command's own."""
        asked = not {*HELP.opts}.isdisjoint(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if asked:
                _show_help(ctx, HELP, True)
            error.ctx = error.ctx or ctx
            raise

    def invoke(self, ctx: click.Context) -> object:
        """Call the function."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            raise self._missing(error) from error

    def _missing(self, error: ModuleNotFoundError) -> Exception:
        """Return what to say about a module that is not there: what to install, when it is known."""
        if not self._needs or (error.name or "").partition(".")[0] == "agentic_atlas":
            return error
        what = f'this command needs the {self._needs}: pip install "agentic-atlas[{self._needs}]"'
        return ConfigurationError(f"{what} (`{error.name}` is missing)")


class CommandGroup(click.Group):
    """Commands under a common word."""

    def __init__(
        self,
        summary: str,
        commands: Mapping[str, click.Command],
        default: str = "",
        params: Sequence[click.Parameter] = (),
    ) -> None:
        """`default`: the command that the common word alone stands for; without one it shows the list."""
        alone = f" Alone: the same as `{default}`." if default else ""
        super().__init__(None, dict(commands), help=summary + alone, short_help=summary, params=[*params, HELP])
        self._default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read what was typed; the default command's options may stand where its name is left out."""
        unnamed = not ctx.resilient_parsing and (not args or args[0].startswith("-"))
        if self._default and unnamed and {*HELP.opts}.isdisjoint(args):
            args = [self._default, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names in the order in which they are read best, which is not the alphabet's."""
        return list(self.commands)
