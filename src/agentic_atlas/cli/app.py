"""The program `atlas`: its commands, and the way in. Nothing is imported before a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from agentic_atlas.cli import errors, output, shell, streams
from agentic_atlas.cli.command.tree import Command, CommandGroup
from agentic_atlas.cli.interrupts import Interrupted

ATLAS = CommandGroup(
    "A self-hosted network for local agents.",
    {
        "up": Command("up:up", "Start a network on this machine, in one process.", needs="server"),
        "backup": Command(
            "backup:backup", "Copy the whole network into one file, while it runs or not.", needs="server"
        ),
        "restore": Command("restore:restore", "Put a backup in place of a network's data.", needs="server"),
        "demo": Command("demo.command:demo", "See the whole story on this machine.", needs="server"),
        "init": Command("init:init", "Make a folder with a new agent."),
        "run": Command(
            "run:run",
            "Run an agent's file, as `python FILE` does.",
            context_settings={"allow_interspersed_args": False},  # What follows FILE is for the file.
        ),
        "call": Command("call:call", "Run a skill of an agent and print its output."),
        "login": Command("login:login", "Log in to a platform elsewhere, or approve another machine's login."),
        "logout": Command("logout:logout", "Forget a platform's API key on this machine, and revoke it there."),
        "platforms": CommandGroup(
            "The networks known here; switch between them.",
            {
                "list": Command("platforms:show_list", "List the networks: which answer, and where commands go."),
                "use": Command("platforms:use", "Let commands go to this network."),
                "forget": Command("platforms:forget", "Forget a network and the key for it."),
                "key": Command("platforms:key", "Print the API key that commands use, for a script."),
            },
            default="list",
        ),
        "whoami": Command("account:whoami", "Show who you are, and to which platform."),
        "about": Command("about:about", "Show what the network's server is: version, times, data, certificate."),
        "limits": Command("about:limits", "List the limits that are in force, and how much of them is used."),
        "version": Command("account:version", "Show the version of Agentic Atlas."),
        "completion": Command("shell:completion", "Print what makes a shell complete commands."),
        "agents": CommandGroup(
            "The agents of the network, their skills and instances.",
            {
                "list": Command("agents:show_list", "List the agents, with their status."),
                "show": Command("agents:show_one", "Show an agent with its skills and instances."),
                "resources": Command("resources:show", "Show what an agent's processes took over time."),
                "share": Command("sharing:share", "Let others call or manage an agent of yours."),
                "unshare": Command("sharing:unshare", "Let others call or manage an agent no more."),
                "disable": Command("agents:disable", "Disconnect an agent, and let it in no more until it is enabled."),
                "enable": Command("agents:enable", "Let a disabled agent in again."),
                "rename": Command("agents:rename", "Give an agent of yours another name."),
                "delete": Command("agents:delete", "Remove an agent with its tokens; its tasks stay."),
            },
            default="list",
        ),
        "groups": CommandGroup(
            "Groups of users, with whom an agent is shared at once.",
            {
                "list": Command("sharing:show_groups", "List the groups that you are in; administrators see all."),
                "create": Command("sharing:create_group", "Make a group; administrators only."),
                "delete": Command("sharing:delete_group", "Remove a group, and what is shared with it."),
                "add": Command("sharing:add_member", "Put a user into a group; administrators only."),
                "remove": Command("sharing:remove_member", "Take a user out of a group; administrators only."),
            },
            default="list",
        ),
        "tokens": CommandGroup(
            "Tokens that agents connect with: one for each instance.",
            {
                "create": Command("tokens:create", "Make a token for an instance of an agent. It is shown this once."),
                "list": Command("tokens:show_list", "List the tokens of an agent, without their secrets."),
                "rotate": Command(
                    "tokens:rotate", "Make a token in place of another one, which stays good for a while."
                ),
                "revoke": Command("tokens:revoke", "End a token now: the instance that uses it is disconnected."),
            },
        ),
        "users": CommandGroup(
            "People: who they are, how they come in, and what they may do.",
            {
                "list": Command("users:show_list", "List the users: their roles, and what they come in by."),
                "create": Command("users:create", "Make a user who has API keys alone."),
                "invite": Command("users:invite", "Make a link with which somebody sets a password, once."),
                "invitations": CommandGroup(
                    "Links that can still be used.",
                    {
                        "list": Command("users:show_invitations", "List the links that can still be used."),
                        "withdraw": Command("users:withdraw", "Make the link worthless that a user was sent."),
                    },
                    default="list",
                ),
                "accept": Command("users:accept", "Set a password, by the link of an invitation."),
                "role": Command("users:role", "Give a user another role."),
                "disable": Command("users:disable", "Shut a user out, with their keys, sessions and agents."),
                "enable": Command("users:enable", "Let a user in again."),
                "delete": Command("users:delete", "Remove a user who owns no agents."),
                "password": Command("account:password", "Have another password; your other sessions end."),
                "totp": Command("account:totp", "Have your log-ins need one-time passwords, or end that."),
                "identities": Command("account:identities", "List what providers know you as, or remove that."),
                "sessions": Command("account:sessions", "List where you are logged in, or end that."),
            },
            default="list",
        ),
        "keys": CommandGroup(
            "API keys that people and programs call the network with.",
            {
                "create": Command("keys:create", "Make an API key. It is shown this once."),
                "list": Command("keys:show_list", "List your API keys, without their secrets."),
                "revoke": Command("keys:revoke", "Make an API key worthless now."),
                "rotate": Command("keys:rotate", "Have a new key sign agents' tokens; those there are stay good."),
                "withdraw": Command("keys:withdraw", "Make every token worthless that a signing key has signed."),
            },
            default="list",
        ),
        "audit": CommandGroup(
            "Who did what; and whether the log of it is as it was written.",
            {
                "list": Command("audit:show_list", "List what was done, newest first."),
                "verify": Command("audit:verify", "Check every row of the log, here or of an export."),
                "archive": Command("audit:archive", "Put old rows into a file, and remove them from the log."),
                "archives": Command("audit:archives", "List the files with rows that were archived."),
                "export": Command("audit:export", "Write the log as lines of JSON, with its signed head."),
            },
            default="list",
        ),
        "attention": Command(
            "attention:show", "Show what needs you: questions, tokens that end, agents that are gone."
        ),
        "logs": Command("logs:show", "Show what agents say in their logs, and go on as they say more."),
        "top": Command("top:show", "Show all processes of your agents with what they take, live."),
        "trace": Command("trace:show", "Show a task with all that called it and that it called."),
        "stats": Command("stats:show", "Show how many tasks ended how, how long they took, and why they failed."),
        "tasks": CommandGroup(
            "Tasks: list them, look at one, cancel, watch, answer and repeat them.",
            {
                "list": Command("tasks:show_list", "List the newest tasks."),
                "show": Command("tasks:show_one", "Show a task: input, output, times."),
                "cancel": Command("tasks:cancel", "Ask for a task to be stopped."),
                "answer": Command("tasks:answer", "Answer a question that a task asks."),
                "retry": Command("tasks:retry", "Submit a finished task's request again, as a new task."),
                "watch": Command("tasks:watch", "Print a task's events as they happen, until it is done."),
            },
        ),
    },
    params=[
        # Taken off before the command is read; here for the help.
        click.Option(["--version"], is_flag=True, expose_value=False, help="Show the version and end."),
        click.Option(
            ["--traceback"], is_flag=True, expose_value=False, help="Show where an error comes from (first option)."
        ),
    ],
)


def main() -> NoReturn:
    """Run `atlas` with the arguments of this process, and end it."""
    streams.complete()
    code = run(sys.argv[1:])
    streams.drop_unread()
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run a command; whatever goes wrong is a sentence on stderr and the exit code.

    Raises:
        Exception: what went wrong itself, after `--traceback`.
    """
    traced = list(words[:1]) == ["--traceback"]
    try:
        return _run(words[traced:])
    except Interrupted as signalled:
        return signalled.exit_code
    except KeyboardInterrupt:
        return errors.INTERRUPTED
    except BrokenPipeError:
        return errors.UNREAD
    except Exception as error:  # the last place: what nobody foresaw is a sentence too
        if traced:
            raise
        return errors.report(error, as_json="--json" in words)


def _run(words: Sequence[str]) -> int:
    if words and words[0] == "--version":
        words = ["version", *words[1:]]
    try:
        if shell.offered(ATLAS):
            return 0
        with ATLAS.make_context(shell.PROGRAM, list(words)) as context:
            return ATLAS.invoke(context) or 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        output.page(error.message, beside=True)
        return errors.MISUSED
