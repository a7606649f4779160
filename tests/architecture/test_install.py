"""The wheel with nothing but its declared dependencies: the base install, and the [server] extra from its lock file.

Both environments are made without a network: the wheel is installed, and the distributions it may see are linked from
the environment the tests run in.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest

from tests.architecture.distributions import closure, link
from tests.architecture.test_locks import pins
from tests.e2e.processes import Process, connected, free_port

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.install

IMPORT_EVERYTHING = """
import importlib, pkgutil, agentic_atlas
for module in pkgutil.walk_packages(agentic_atlas.__path__, "agentic_atlas."):
    if not module.name.endswith(("__main__", "migrations.env")):  # Alembic alone runs the latter
        importlib.import_module(module.name)
"""


class Machine:
    """An environment of its own, as a user would have after installing."""

    def __init__(self, folder: Path, wheel: Path, distributions: list[metadata.Distribution]) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.bin, self.home = folder / "bin", folder / "home"
        self.home.mkdir()
        link(distributions, folder / "dependencies")
        site_packages = next(folder.glob("lib/python*/site-packages"))
        (site_packages / "dependencies.pth").write_text(f"{folder / 'dependencies'}\n")
        pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(self.bin / "python"), "install"]
        subprocess.run([*pip, "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)], check=True)

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, with nothing of the caller's environment."""
        return subprocess.run(
            [str(self.bin / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": f"{self.bin}{os.pathsep}/usr/bin:/bin", "NO_COLOR": "1"},
            timeout=60,
        )

    def python(self, program: str) -> subprocess.CompletedProcess[str]:
        """Run a Python program; return how it ended."""
        return self.run("python", "-I", "-c", program)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_what_pages_load_with_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = set(opened.namelist())
    vendored = "agentic_atlas/platform/vendor"
    assert {f"{vendored}/htmx.min.js", f"{vendored}/htmx.LICENSE", "agentic_atlas/platform/templates/base.html"} <= held


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("base"), wheel, list(closure().values()))


@pytest.fixture(scope="module")
def server(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    here = {name: metadata.distribution(name) for name in closure("server")}
    locked = pins("server")
    assert {name: found.version for name, found in here.items()} == {name: locked.get(name) for name in here}
    return Machine(tmp_path_factory.mktemp("server"), wheel, list(here.values()))


@pytest.mark.parametrize("module", ["agentic_atlas", "agentic_atlas.sdk", "agentic_atlas.cli", "agentic_atlas.testing"])
def test_the_base_install_is_enough_for(base: Machine, module: str) -> None:
    done = base.python(f"import {module}")
    assert done.returncode == 0, done.stderr


def test_the_base_install_has_nothing_of_the_server(base: Machine) -> None:
    done = base.python("import sqlalchemy")
    assert "ModuleNotFoundError: No module named 'sqlalchemy'" in done.stderr


def test_the_command_line_of_the_base_install_answers(base: Machine) -> None:
    done = base.run("atlas", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "run" in done.stdout


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_command_that_needs_the_server_says_what_to_install(base: Machine, command: str) -> None:
    done = base.run("atlas", command)
    assert done.returncode in (1, 2)
    assert 'pip install "agentic-atlas[server]"' in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_every_module_can_be_imported_with_the_server_extra_from_its_lock_file(server: Machine) -> None:
    done = server.python(IMPORT_EVERYTHING)
    assert done.returncode == 0, done.stderr


def test_the_command_line_of_the_server_install_answers(server: Machine) -> None:
    done = server.run("atlas", "up", "--help")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_quick_start_works_as_printed_from_the_installed_wheel(server: Machine, tmp_path: Path) -> None:
    environ = {
        "HOME": str(tmp_path),
        "PATH": f"{server.bin}{os.pathsep}/usr/bin:/bin",
        "PYTHONUNBUFFERED": "1",
        "ATLAS_HTTP_PORT": str(free_port()),
        "ATLAS_ROUTER_PORT": str(free_port()),
    }
    up = Process(str(server.bin / "atlas"), "up", folder=tmp_path, environ=environ)
    try:
        up.wait_for("is up")
        up.wait_for("Ctrl-C stops")
        command = partial(
            subprocess.run, cwd=tmp_path, env=environ, check=True, capture_output=True, text=True, timeout=60
        )
        command([str(server.bin / "atlas"), "init", "hello"])
        agent = Process(str(server.bin / "python"), "agent.py", folder=tmp_path / "hello", environ=environ)
        try:
            agent.wait_for(connected)
            answer = command([str(server.bin / "atlas"), "call", "hello", "greet", "name=Ada"])
            assert answer.stdout == "Hello, Ada!\n"
        finally:
            assert agent.stop() == 0, agent.output
    finally:
        assert up.stop() == 0, up.output
