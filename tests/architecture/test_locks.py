"""The lock files are current, complete and free of addresses, as far as that can be known without a network."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from requirements import npm

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OURS = canonicalize_name(PROJECT["project"]["name"])
EXTRAS = PROJECT["project"]["optional-dependencies"]
BASE = PROJECT["project"]["dependencies"]

DIRECT = {
    "dev": [*BASE, *(line for extra in EXTRAS.values() for line in extra), *PROJECT["dependency-groups"]["dev"]],
    "server": [*BASE, *EXTRAS["server"]],
}
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+)", re.MULTILINE)


def text(lock: str) -> str:
    return (ROOT / "requirements" / f"{lock}.lock").read_text()


def pins(lock: str) -> dict[str, str]:
    """Return the version of each distribution in a lock file, by canonical name."""
    return {canonicalize_name(found["name"]): found["version"] for found in PINNED.finditer(text(lock))}


def entries(lock: str) -> list[str]:
    """Return the requirements of a lock file, each with its hashes, without the comments."""
    lines = [line for line in text(lock).splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("lock", DIRECT)
def test_a_lock_satisfies_every_dependency_of_the_project(lock: str) -> None:
    pinned = pins(lock)
    wanted = [Requirement(line) for line in DIRECT[lock]]
    missing = [
        str(requirement)
        for requirement in wanted
        if (name := canonicalize_name(requirement.name)) != OURS
        and not (name in pinned and requirement.specifier.contains(pinned[name], prereleases=True))
    ]
    assert missing == [], "run `make lock`"


@pytest.mark.parametrize("lock", DIRECT)
def test_a_lock_satisfies_what_its_distributions_need_in_turn(lock: str) -> None:
    pinned = pins(lock)
    for name in pinned:
        for line in requirements_here(name):
            wanted = Requirement(line)
            version = pinned.get(canonicalize_name(wanted.name))
            assert version, f"{name} needs {wanted}: run `make lock`"
            assert wanted.specifier.contains(version, prereleases=True), f"{name} needs {wanted}: run `make lock`"


def requirements_here(name: str) -> list[str]:
    """Return what an installed distribution always needs on this platform; nothing when it is not for this one."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    markers = ((line, Requirement(line).marker) for line in lines)
    return [line for line, marker in markers if marker is None or marker.evaluate({"extra": ""})]


@pytest.mark.parametrize("lock", DIRECT)
def test_every_entry_of_a_lock_is_pinned_and_hashed(lock: str) -> None:
    assert entries(lock)
    assert [entry for entry in entries(lock) if not PINNED.match(entry) or " --hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", DIRECT)
def test_a_lock_names_no_address_and_no_folder(lock: str) -> None:
    assert re.findall(r"://|--(?:index-url|extra-index-url|find-links)|^[./]|@ ", text(lock), re.MULTILINE) == []


def test_the_server_runs_on_the_versions_that_are_tested() -> None:
    tested = pins("dev")
    assert {name: tested.get(name) for name in pins("server")} == pins("server")


@pytest.mark.parametrize(("lock", "package"), [("mermaid", "mermaid"), ("htmx", "htmx.org"), ("axe", "axe-core")])
def test_what_npm_fetches_is_known_by_its_content_and_nothing_else_is_used(lock: str, package: str) -> None:
    assert re.fullmatch(rf"{package}@\d+\.\d+\.\d+ sha512-[A-Za-z0-9+/]{{86}}==\n", text(lock))
    with pytest.raises(npm.Unfetched, match=rf"{package}@\S+ is not what {lock}.lock says: sha512-"):
        npm.check(b"another archive", ROOT / "requirements" / f"{lock}.lock")


def test_what_npm_fetches_is_pinned_by_its_content_and_named_by_no_address() -> None:
    for path in (ROOT / "requirements").rglob("package-lock.json"):
        content = path.read_text()
        assert "://" not in content, path
        packages = json.loads(content)["packages"]
        assert all("integrity" in package for name, package in packages.items() if name), path
        assert len(packages) > 1, path
