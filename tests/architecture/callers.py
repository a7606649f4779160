"""Finds code of the package that nothing in the package calls, by name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "agentic_atlas"
PUBLIC = ("__init__.py", "testing/__init__.py")
"""Users import from these: what they export is called from outside."""
_NAMED_IN_TEXT = re.compile(r"([\w.]+:)?\w+")
"""A name, or `module:name`, as commands name their functions."""
_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def sources(package: Path = PACKAGE) -> dict[str, ast.Module]:
    """Return the syntax of each file of the package, by its path in it."""
    return {path.relative_to(package).as_posix(): ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}


def uncalled(modules: Mapping[str, ast.Module]) -> set[str]:
    """Return functions, methods, classes and constants whose name is nowhere but where they are made.

    An import is no call, nor is `__all__`, but for that of the packages that users import. Fields of a class are
    values, and what has a decorator may be called by whoever decorates it: neither is looked at.
    """
    used: Counter[str] = Counter()
    for place, module in modules.items():
        used.update(_used(module, exports=place in PUBLIC))
    return {
        f"{place}:{name}"
        for place, module in modules.items()
        for name in _made(module.body)
        if not used[name.rpartition(".")[2]]
    }


def _made(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    for statement in body:
        if isinstance(statement, _DEFINED):
            if not statement.decorator_list or isinstance(statement, ast.ClassDef):
                yield from _named(within + statement.name)
            if isinstance(statement, ast.ClassDef):
                yield from _made(statement.body, f"{within}{statement.name}.")
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and not within:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield from _named(within + target.id)


def _named(name: str) -> Iterator[str]:
    if not name.rpartition(".")[2].startswith("__"):
        yield name


def _used(module: ast.Module, *, exports: bool) -> Iterator[str]:
    for node in (
        node for statement in module.body if exports or not _exports(statement) for node in ast.walk(statement)
    ):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg is not None:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAMED_IN_TEXT.fullmatch(node.value):
            yield node.value.rpartition(":")[2]
        elif isinstance(node, ast.MatchClass):
            yield from node.kwd_attrs


def _exports(statement: ast.stmt) -> bool:
    """Tell whether this is `__all__ = …`."""
    return isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == ["__all__"]
