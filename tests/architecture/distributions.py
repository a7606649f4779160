"""Which installed distributions a requirement brings along, and which modules those provide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "agentic-atlas"


def closure(*extras: str) -> dict[str, metadata.Distribution]:
    """Return what the project with these extras needs on this platform, directly or in turn, by canonical name."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    wanted = [(PROJECT, extra) for extra in ("", *extras)]
    while wanted:
        name, extra = wanted.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        distribution = metadata.distribution(name)
        found[name] = distribution
        wanted += _needs(distribution, extra)
    del found[PROJECT]
    return found


def _needs(distribution: metadata.Distribution, extra: str) -> Iterator[tuple[str, str]]:
    for line in distribution.requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            name = canonicalize_name(requirement.name)
            yield name, ""
            yield from ((name, more) for more in requirement.extras)


def top_level_modules(distributions: Iterable[str]) -> set[str]:
    """Return the names by which these distributions are imported."""
    names = set(distributions)
    provided = metadata.packages_distributions().items()
    return {module for module, owners in provided if names & {canonicalize_name(owner) for owner in owners}}


def link(distributions: Iterable[metadata.Distribution], folder: Path) -> None:
    """Make folder a site-packages that holds exactly the files of these distributions, as links."""
    for distribution in distributions:
        for file in distribution.files or ():
            if ".." in file.parts:  # scripts and manual pages live outside site-packages
                continue
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(Path(str(file.locate())).resolve())
