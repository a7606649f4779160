"""The program `atlas`: its commands, and the way in. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from agentic_atlas.cli import account, agents, call, deferred, errors, init, login, logout, run, tasks, tokens

DEFERRED = {
    "up": ("agentic_atlas.cli.up:up", "Start a network on this machine, in one process."),
    "backup": ("agentic_atlas.cli.backup:backup", "Copy the whole network into one file, while it runs or not."),
    "restore": ("agentic_atlas.cli.restore:restore", "Put a backup in place of a network's data."),
    "demo": ("agentic_atlas.cli.demo.command:demo", "See the whole story on this machine."),
}
"""Commands that need the server's packages: where they are, and their line in the list."""


class Atlas(TyperGroup):
    """The commands, with one way out: whatever goes wrong is a sentence on stderr and an exit code."""

    def main(self, args: Sequence[str] | None = None, *more: Any, **settings: Any) -> Any:
        """Run a command and end the process; with `standalone_mode=False` it ends as Typer says."""
        given = sys.argv[1:] if args is None else list(args)
        if settings.get("standalone_mode") is False or "--traceback" in given[:1]:
            return super().main(given, *more, **settings)
        try:
            code = super().main(given, *more, **settings | {"standalone_mode": False})
        except Exception as error:  # noqa: BLE001  # the last place: what nobody foresaw is a sentence too
            code = errors.report(error, as_json="--json" in given)
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(
    cls=Atlas,
    name="atlas",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="A self-hosted network for local agents.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, wanted: bool) -> None:
    if wanted:
        account.version()
        raise typer.Exit


@app.callback()
def atlas(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version and end.")
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error comes from (first option).")
    ] = False,
) -> None:
    """A self-hosted network for local agents."""
    del version, traceback  # Acted on before any command runs: by `_version` and `Atlas.main`.


for name, (place, text) in DEFERRED.items():
    deferred.add(app, name, place, text)
app.command("init")(init.init)
app.command("run", context_settings=run.SETTINGS)(run.run)
app.command("call")(call.call)
app.add_typer(agents.app, name="agents")
app.add_typer(tokens.app, name="tokens")
app.add_typer(tasks.app, name="tasks")
app.command("login")(login.login)
app.command("logout")(logout.logout)
app.command("whoami")(account.whoami)
app.command("version")(account.version)


def main() -> None:
    """Run `atlas` with the arguments of this process, and end it."""
    typer.main.get_command(app)(prog_name="atlas")
