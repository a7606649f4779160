"""What an agent needs from outside: its settings, a log, and the link to the router that they name."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.observe import logs
from agentic_atlas.protocol.messages import Hello
from agentic_atlas.sdk.lines.outlet import Outlet
from agentic_atlas.sdk.ports import ToLink
from agentic_atlas.sdk.resources.pausing import PauseOptions, rules, variables
from agentic_atlas.sdk.runner.runner import LoopInbox, Runner
from agentic_atlas.sdk.threads import in_thread

if TYPE_CHECKING:
    from agentic_atlas.sdk.environment import AgentSettings
    from agentic_atlas.sdk.tokens.source import TokenSource


Connect = Callable[[Hello, Runner], AbstractAsyncContextManager[tuple[ToLink, Callable[[], None]]]]
"""Gives what carries an agent's messages to a router and back, and what has it connect; to be called once."""

_SERVED: dict[str, str] = {}
"""The tokens that agents of this process connect with, by name of their digest; and the names of those agents."""


@dataclass(frozen=True)
class AgentArguments:
    """What an agent is told in Python, which counts before its environment; its text form does not hold the token.

    Attributes:
        folder: that of the file that declares the agent, where its `.env` is looked for first.
        pauses: when it takes no new tasks.
    """

    token: str | None = field(default=None, repr=False)
    router_url: str | None = None
    env_file: Path | None = None
    folder: Path | None = None
    pauses: PauseOptions = field(default_factory=PauseOptions)

    def settings(self) -> "AgentSettings":
        """Read the environment, now.

        Raises:
            ConfigurationError: it lacks something, or a value cannot be used; the message names the fix.
        """
        from agentic_atlas.sdk import environment

        said = {"AGENT_JWT_TOKEN": self.token, "ROUTER_WS_URL": self.router_url}
        told = {name: value for name, value in said.items() if value is not None} | variables(self.pauses)
        return environment.load(self._folder(), env_file=self.env_file, said=told)

    def token_in_file(self) -> tuple[str, Path] | None:
        """Return the token that `.env` has now, and where that is; None without one that can be used. Never waits."""
        from agentic_atlas.sdk import dotenv_file, environment
        from agentic_atlas.sdk.tokens.source import VARIABLE

        path = self.env_file or dotenv_file.find(self._folder())
        token = "" if path is None else dotenv_file.value(path, VARIABLE)
        return None if path is None or not token or environment.token_fault(token) else (token, path)

    def _folder(self) -> Path | None:
        folders = [folder for folder in (self.folder, _folder_of_program()) if folder is not None]
        return next((folder for folder in folders if (folder / ".env").exists()), next(iter(folders), None))


def folder_of_caller() -> Path | None:
    """Return the folder of the file that uses this package; None when there is none (an interactive session)."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("agentic_atlas.sdk."):
        frame = frame.f_back
    return None if frame is None else _folder_of(frame.f_globals.get("__file__"))


def log_of(settings: "AgentSettings", outlet: Outlet, *, named: bool) -> logs.Log:
    """Return the agent's own log, with what is to be said of its settings in it; `named`: see `logs.logger`."""
    from agentic_atlas.sdk.lines.capture import unwrapped

    traced = logs.LEVELS[settings.log_level] <= logs.TRACE
    log = logs.logger(
        settings.log_level,
        settings.log_format,
        unwrapped(sys.stderr),
        colours=settings.colours,
        named=named or traced,
        payloads=settings.log_payloads,
        heard=outlet.hear,
    )
    for warning in settings.warnings:
        log.warning("setting_doubtful", message=warning)
    return log


@contextmanager
def listening(name: str, settings: "AgentSettings", outlet: Outlet, log: logs.Log) -> Iterator[None]:
    """Have an agent's outlet hear what its process says meanwhile, and keep what it hears in a file."""
    from agentic_atlas.sdk.lines.capture import Wanted, captured, uncaught
    from agentic_atlas.sdk.lines.file import LogFile

    lines = settings.lines
    path = lines.path(name)
    if path is not None:

        def failed(why: str) -> None:
            log.warning("log_file_failing", why=why)

        outlet.keep(LogFile(path, size=lines.file_bytes, files=lines.files, failed=failed))
    try:
        with captured(outlet, Wanted(lines.logging, lines.output)):
            yield
    except Exception as error:
        if not isinstance(error, AtlasError):
            uncaught(outlet, "an error that nobody caught ends the agent", error)
        raise
    finally:
        outlet.close()


def linked(
    name: str, given: AgentArguments, settings: "AgentSettings", log: logs.Log, outlet: Outlet | None = None
) -> Connect:
    """Return what connects the agent of this name to the router that the settings name, which is told what the outlet
    hears.

    It raises ConfigurationError when another agent of this process has the same token.

    Raises:
        ConfigurationError: the settings say when to pause, and that can't be read.
    """
    pauses = rules(settings.pauses)

    @asynccontextmanager
    async def connect(hello: Hello, runner: Runner) -> AsyncIterator[tuple[ToLink, Callable[[], None]]]:
        # Only now: what connects is slow to import, and scripts import agents for other reasons too.
        from agentic_atlas.sdk.link import link
        from agentic_atlas.sdk.link.settings import Runtime
        from agentic_atlas.sdk.spool.file import spool_in

        its = log.bind(agent=name, instance=hello.instance.id)
        tokens = _tokens(given, settings, its)
        with _its_own(settings.token, name):
            inbox = LoopInbox(runner, asyncio.get_running_loop())
            spool = spool_in(settings.spool, settings.token, hello.instance.id, its)
            around = Runtime(spool=spool, pauses=pauses, outlet=outlet)
            made = link.LinkThread(
                settings.router_url,
                tokens,
                hello,
                inbox,
                on_loop=runner.on_loop,
                log=its,
                runtime=around,
            )
            try:
                yield made, made.start
            finally:
                await in_thread(partial(made.stop, link.FLUSH), name="atlas-link-end")

    return connect


@contextmanager
def _its_own(token: str, name: str) -> Iterator[None]:
    """Hold a token for an agent of this process: with two, the router would refuse the second as another process."""
    from agentic_atlas.sdk.tokens.unverified import lineage_name

    digest = lineage_name(token)
    other = _SERVED.get(digest)
    if other is not None:
        if other == name:
            problem = f"the agent {name} is running in this process already: stop the first one"
        else:
            fix = "give each its own, with Agent(token=…), Agent(env_file=…) or a .env beside its file"
            problem = f"the agents {other} and {name} have the same token: {fix}, and unset AGENT_JWT_TOKEN"
        raise ConfigurationError(problem)
    _SERVED[digest] = name
    try:
        yield
    finally:
        del _SERVED[digest]


def _tokens(given: AgentArguments, settings: "AgentSettings", log: logs.Log) -> "TokenSource":
    """Return what gives the token for each connection: a new one in `.env` holds from the next connection on."""
    from agentic_atlas.sdk.tokens.renewed import RenewedTokens
    from agentic_atlas.sdk.tokens.source import TokenSource

    return TokenSource(
        settings.token,
        log=log,
        from_file=settings.token_from_file,
        in_file=given.token_in_file,
        kept=RenewedTokens(settings.renewed),
    )


def _folder_of_program() -> Path | None:
    """Return the folder of the program that was started."""
    return _folder_of(getattr(sys.modules.get("__main__"), "__file__", None))


def _folder_of(file: object) -> Path | None:
    return Path(file).resolve().parent if isinstance(file, str) else None
