"""Settings of the server and variables of agents and commands."""

from __future__ import annotations

import ast
import re

from pydantic_core import PydanticUndefined

from agentic_atlas.sdk import environment
from agentic_atlas.settings import Settings
from tests.docs.reference.markdown import code, table
from tests.docs.reference.source import PACKAGE, attribute_docs, tree_of

_VARIABLE = re.compile(r"(ATLAS|AGENT|ROUTER|BACKEND)_[A-Z_]*[A-Z]")
_SAID = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def server_settings() -> str:
    docs = attribute_docs(Settings)
    rows = [(code(f"ATLAS_{name.upper()}"), _default(name), _allowed(name), docs[name])
            for name in Settings.model_fields]  # fmt: skip
    return table(("variable", "default", "allowed", "meaning"), rows)


def agent_variables() -> set[str]:
    """Return the names that the SDK reads from the environment."""
    tree = tree_of(PACKAGE / "sdk" / "environment.py")
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in texts if _VARIABLE.fullmatch(text)}


def defaults_of_agents() -> dict[str, str]:
    """Return the defaults that are constants."""
    return {"ROUTER_WS_URL": environment.ROUTER_URL, "BACKEND_API_BASE_URL": environment.API_URL}


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return code("~/.local/share/agentic-atlas")
    if field.default is PydanticUndefined or field.default is None:
        return ""
    return code(field.default)


def _allowed(name: str) -> str:
    field = Settings.model_fields[name]
    bounds = [f"{_SAID[key]} {value:,}" for rule in field.metadata for key, value in _rules(rule)]
    choices = re.findall(r"'(\w+)'", str(field.annotation))
    return ", ".join(bounds) if bounds else ", ".join(code(choice) for choice in choices)


def _rules(rule: object) -> list[tuple[str, float]]:
    return [(key, getattr(rule, key)) for key in _SAID if getattr(rule, key, None) is not None]
