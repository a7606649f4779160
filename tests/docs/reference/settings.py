"""Settings of the server and variables of agents and commands."""

from __future__ import annotations

import ast
import re

import msgspec
from msgspec import Meta

from agentic_atlas.compose.limits import attribute_docs
from agentic_atlas.sdk import environment
from agentic_atlas.settings import NAMES, OF_PARTS, Settings, kind_of, variable
from tests.docs.reference.markdown import code, table
from tests.docs.reference.source import PACKAGE, tree_of

_VARIABLE = re.compile(r"(ATLAS|AGENT|ROUTER|BACKEND)_[A-Z_]*[A-Z]")
_SAID = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def server_settings() -> str:
    rows = [(code(variable(name)), _default(name), _allowed(name), attribute_docs(_owner(name))[name])
            for name in NAMES]  # fmt: skip
    return table(("variable", "default", "allowed", "meaning"), rows)


def agent_variables() -> set[str]:
    """Return the names that the SDK reads from the environment."""
    tree = tree_of(PACKAGE / "sdk" / "environment.py")
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in texts if _VARIABLE.fullmatch(text)}


def defaults_of_agents() -> dict[str, str]:
    """Return the defaults that are constants."""
    return {"ROUTER_WS_URL": environment.ROUTER_URL, "BACKEND_API_BASE_URL": environment.API_URL}


def default_of(kind: type, name: str) -> object:
    """Return the default of a field of a struct or a dataclass; None for one that is made anew each time."""
    if issubclass(kind, msgspec.Struct):
        field = next(field for field in msgspec.structs.fields(kind) if field.name == name)
        return None if field.default is msgspec.NODEFAULT else field.default
    return kind.__dataclass_fields__[name].default


def _owner(name: str) -> type:
    return OF_PARTS[name][0] if name in OF_PARTS else Settings


def _default(name: str) -> str:
    if name == "data_dir":
        return code("~/.local/share/agentic-atlas")
    default = default_of(_owner(name), name)
    return "" if default in (None, "") else code(default)


def _allowed(name: str) -> str:
    kind = kind_of(name)
    bounds = [f"{sign} {value:,}" for rule in getattr(kind, "__metadata__", ()) for sign, value in _rules(rule)]
    choices = re.findall(r"'(\w+)'", str(kind))
    return ", ".join(bounds) if bounds else ", ".join(code(choice) for choice in choices)


def _rules(rule: Meta) -> list[tuple[str, float]]:
    return [(sign, getattr(rule, key)) for key, sign in _SAID.items() if getattr(rule, key) is not None]
