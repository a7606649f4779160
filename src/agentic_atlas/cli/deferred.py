"""Commands whose modules are loaded when they are called: those that need the server's packages."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer

from agentic_atlas.cli.errors import SERVER_MISSING
from agentic_atlas.errors import ConfigurationError

SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False}


def add(app: typer.Typer, name: str, place: str, help: str) -> None:
    """Register a command that lives elsewhere.

    Args:
        app: where to.
        name: of the command.
        place: `module:function`, a function Typer can read.
        help: its line in the list of commands; its own `--help` comes from the function.
    """

    @app.command(name, help=help, context_settings=SETTINGS, add_help_option=False)
    def run(*, context: typer.Context) -> None:
        try:
            command = typer.main.get_command(_alone(place))
            code = command.main(args=context.args, prog_name=context.command_path, standalone_mode=False)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == "agentic_atlas":
                raise
            raise ConfigurationError(f"{SERVER_MISSING} (`{error.name}` is missing)") from error
        if isinstance(code, int):
            raise typer.Exit(code)


def _alone(place: str) -> typer.Typer:
    module, _, function = place.partition(":")
    command: Any = getattr(import_module(module), function)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(command)
    return app
