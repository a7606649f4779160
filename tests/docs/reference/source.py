"""What only the source says: the text under an attribute, and where a class is made."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import get_args, get_origin

from agentic_atlas.compose.limits import documented
from tests.docs.pages import ROOT

PACKAGE = ROOT / "src" / "agentic_atlas"


@cache
def written_types(kind: type) -> dict[str, str]:
    """Return the annotations of a class's public attributes as they are written, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("agentic_atlas"):
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
            found |= {
                node.target.id: ast.unparse(node.annotation)
                for node in ast.iter_child_nodes(tree.body[0])
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
            }
    return {name: _filled_in(text, kind) for name, text in found.items() if not name.startswith(("_", "model_"))}


def _filled_in(annotation: str, kind: type) -> str:
    """Return an annotation with what a class gives for the type variables of its bases."""
    for base in getattr(kind, "__orig_bases__", ()):
        for variable, given in zip(getattr(get_origin(base), "__parameters__", ()), get_args(base), strict=False):
            if isinstance(given, type):
                annotation = re.sub(rf"\b{variable.__name__}\b", given.__name__, annotation)
    return annotation


@cache
def module_docs(module: ModuleType) -> dict[str, str]:
    """Return the text under each name of a module."""
    return documented(ast.parse(inspect.getsource(module)).body)


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax of a file of the package."""
    return ast.parse(path.read_text())


def files(*below: str) -> Iterator[Path]:
    """Yield the package's files."""
    for path in sorted(PACKAGE.joinpath(*below).rglob("*.py")):
        if "migrations" not in path.parts:
            yield path


def summary(kind: object) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())
