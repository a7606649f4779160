"""A page as a story: its files are written, its programs and commands run, in the order of the page."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.docs.console import Command, Step, Terminal, steps
from tests.docs.pages import Block, blocks
from tests.e2e.processes import free_port

HTTP_PORT, ROUTER_PORT = 8000, 8080
"""The ports that the pages speak of; the tests have others, which are put in their place."""
HOME = "/home/ada"
"""The reader's home folder, as pages show it."""

NOT_RUN = {
    r"pip install .*": "fetches what the clone depends on; tests/architecture/test_install.py installs the built wheel",
    r"make [a-z]+.*": "is about a clone; that each target exists is tested",
}
"""Commands that are shown and not run, and why."""


class World:
    """A home folder, free ports, and the environment of everything that runs in it."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.ports = {HTTP_PORT: free_port(), ROUTER_PORT: free_port()}
        kept = {name: value for name, value in os.environ.items() if name in ("LANG", "LC_ALL", "TMPDIR")}
        self.environ = kept | {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ATLAS_HTTP_PORT": str(self.ports[HTTP_PORT]),
            "ATLAS_ROUTER_PORT": str(self.ports[ROUTER_PORT]),
            "PYTHONUNBUFFERED": "1",
            "TERM": "xterm",
            "ATLAS_LOG_FORMAT": "console",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "ATLAS_OPEN_BROWSER": "0",
        }

    def here(self, text: str) -> str:
        """Return a text of a page with this world's ports."""
        for shown, port in self.ports.items():
            text = re.sub(rf"(localhost|127\.0\.0\.1):{shown}\b", f"127.0.0.1:{port}", text)
        return text

    def as_shown(self, text: str) -> str:
        """Return an output with the ports and the home folder of the pages."""
        for shown, port in self.ports.items():
            text = re.sub(rf"(?<=:){port}\b", str(shown), text)
        return text.replace(str(self.home), HOME)


class Story:
    """What one page tells, in a folder of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._world = world
        self._folder = folder
        self._terminals: dict[str, Terminal] = {}

    def tell(self, block: Block) -> None:
        """Do what a block says."""
        if block.language == "console":
            terminal = self._terminals.setdefault(
                block.title, Terminal(self._folder, self._world.environ, self._world.as_shown)
            )
            for step in steps(block.text):
                if reason_not_to_run(step.command) is None:
                    terminal.do(replace(step, command=self._world.here(step.command)))
        elif block.title:
            path = self._folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._world.here(block.text))
        elif block.language == "python":
            self._execute(block)

    def close(self) -> None:
        """End what still goes on."""
        for terminal in self._terminals.values():
            terminal.close()

    def _execute(self, block: Block) -> None:
        path = self._folder / f"block_{block.line}.py"
        path.write_text(self._world.here(block.text))
        command = Command(f"python {path.name}", self._folder, self._world.environ)
        code = command.wait()
        assert code == 0, f"{block.place} ended with {code}:\n{command.output}"


def is_story(page: Path) -> bool:
    """Tell whether there is anything on the page to run."""
    return any(
        block.language == "python"
        or (block.language == "console" and any(reason_not_to_run(step.command) is None for step in steps(block.text)))
        for block in blocks(page)
    )


def starts_a_network(page: Path) -> bool:
    """Tell whether the page itself starts the network that it needs."""
    return any(step.command == "atlas up" for step in commands(page))


def commands(page: Path) -> Iterator[Step]:
    """Yield the commands that a page shows."""
    for block in blocks(page):
        if block.language == "console":
            yield from steps(block.text)


def reason_not_to_run(command: str) -> str | None:
    """Return why a command is shown and not run, or None for one that is."""
    return next((reason for form, reason in NOT_RUN.items() if re.fullmatch(form, command)), None)


@contextmanager
def network(world: World) -> Iterator[None]:
    """Have a network up in this world until the end of the block."""
    command = Command("atlas up", world.home, world.environ)
    try:
        assert command.wait_for(lambda output: "Ctrl-C stops." in output), command.output
        yield
    finally:
        command.interrupt()


def told(world: World, folder: Path, page: Path) -> None:
    """Tell a whole page; raises AssertionError where it is not as the page shows."""
    story = Story(world, folder)
    try:
        for block in blocks(page):
            try:
                story.tell(block)
            except AssertionError as error:
                raise AssertionError(f"{block.place}: {error}") from None
    finally:
        story.close()
