"""What a template uses of the views it is given, read from its syntax tree and never from a rendering.

Names are followed through loops, assignments and included templates, and the type of each is known from the view's
annotations: `{% for agent in view.agents %}{{ agent.name }}` uses `agents` of the view and `name` of what is in them.
A component takes plain values, so nothing is asked of what a macro is given.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from jinja2 import Environment, nodes

Scope = dict[str, Any]
"""Types by the names that stand for them; None: it has none that is known."""
_KEEPS_TYPE = ("sort", "reverse", "list", "unique", "batch", "selectattr", "rejectattr")
_COLLECTIONS = (list, tuple, set, frozenset)


@dataclass
class Uses:
    """What was found.

    Attributes:
        fields: of each type, those that are used.
        wrong: what is used and is not there.
    """

    fields: dict[type, set[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Reader:
    """Reads a template with all that it extends, includes, and its blocks."""

    def __init__(self, environment: Environment, uses: Uses) -> None:
        self._environment = environment
        self._uses = uses
        self._name = ""

    def template(self, name: str, scope: Mapping[str, Any]) -> None:
        before, self._name = self._name, name
        assert self._environment.loader is not None
        source = self._environment.loader.get_source(self._environment, name)[0]
        self._each(self._environment.parse(source).body, dict(scope))
        self._name = before

    def _each(self, found: list[nodes.Node], scope: Scope) -> None:
        for node in found:
            self._node(node, scope)

    def _node(self, node: nodes.Node, scope: Scope) -> None:
        match node:
            case nodes.Extends(template=nodes.Const(value=name)) | nodes.Include(template=nodes.Const(value=name)):
                self.template(name, scope)
            case nodes.For():
                inside = {**scope, "loop": None}
                self._bind(node.target, _member(self._type(node.iter, scope)), inside)
                self._each([*([node.test] if node.test else []), *node.body, *node.else_], inside)
            case nodes.Assign():
                self._bind(node.target, self._type(node.node, scope), scope)
            case nodes.Macro() | nodes.CallBlock():
                self._macro(node, scope)
            case nodes.Expr():
                self._type(node, scope)
            case _:
                self._each(list(node.iter_child_nodes()), scope)

    def _macro(self, node: nodes.Macro | nodes.CallBlock, scope: Scope) -> None:
        inside = {**scope, **{argument.name: None for argument in node.args}, "caller": None}
        self._each([*node.defaults, *node.body], inside)
        if isinstance(node, nodes.CallBlock):
            self._type(node.call, scope)

    def _type(self, node: nodes.Node, scope: Scope) -> Any:
        """Return the type of an expression; None when it is not known. Whatever is used in it is noted."""
        match node:
            case nodes.Name():
                return scope.get(node.name)
            case nodes.Getattr():
                return self._attribute(self._type(node.node, scope), node.attr, node.lineno)
            case nodes.Getitem():
                whole = self._type(node.node, scope)
                self._type(node.arg, scope)
                return _value(whole)
            case nodes.Filter(node=inner) if inner is not None:
                kind = self._type(inner, scope)
                for argument in [*node.args, *node.kwargs]:
                    self._type(argument, scope)
                return kind if node.name in _KEEPS_TYPE else None
            case nodes.CondExpr():
                self._type(node.test, scope)
                kinds = [self._type(one, scope) for one in (node.expr1, node.expr2) if one is not None]
                return kinds[0]
            case _:
                for child in node.iter_child_nodes():
                    self._type(child, scope)
                return None

    def _attribute(self, kind: Any, name: str, line: int) -> Any:
        found = None
        for one in _alternatives(kind):
            hints = _hints(one)
            if hints is None:
                continue
            self._uses.fields.setdefault(one, set()).add(name)
            if name in hints:
                found = hints[name]
            elif not hasattr(one, name):
                self._uses.wrong.append(f"{self._name}:{line}: {one.__name__} has no {name}")
        return found

    def _bind(self, target: nodes.Node, kind: Any, scope: Scope) -> None:
        if isinstance(target, nodes.Name):
            scope[target.name] = kind
            return
        members = get_args(kind) if get_origin(kind) is tuple else ()
        names = list(target.find_all(nodes.Name))
        for place, one in enumerate(names):
            scope[one.name] = members[place] if len(members) == len(names) else None


def used(environment: Environment, template: str, **given: type) -> Uses:
    """Return what a template uses of what it is given: types, by their names."""
    uses = Uses()
    Reader(environment, uses).template(template, given)
    return uses


def _hints(kind: Any) -> Mapping[str, Any] | None:
    """Return the fields of a struct, and its properties; None for what is no struct."""
    origin = get_origin(kind) or kind
    if not (inspect.isclass(origin) and issubclass(origin, msgspec.Struct)):
        return None
    hints = get_type_hints(origin)
    filled = dict(zip(getattr(origin, "__parameters__", ()), get_args(kind), strict=False))
    properties = {
        name: get_type_hints(one.fget).get("return")
        for name, one in inspect.getmembers(origin, lambda one: isinstance(one, property))
        if one.fget is not None
    }
    return {
        **properties,
        **{name: filled.get(hint, hint) if isinstance(hint, TypeVar) else hint for name, hint in hints.items()},
    }


def _alternatives(kind: Any) -> Iterator[Any]:
    if get_origin(kind) in (Union, types.UnionType):
        yield from (one for one in get_args(kind) if one is not type(None))
    elif kind is not None:
        yield kind


def _member(kind: Any) -> Any:
    """Return what is in a collection of this type; of a mapping its keys."""
    for one in _alternatives(kind):
        args = get_args(one)
        origin = get_origin(one)
        if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
            return args[0]
        if args and origin is not None and origin is not tuple:
            return args[0]
    return None


def _value(kind: Any) -> Any:
    """Return what is at an index or a key of this type."""
    for one in _alternatives(kind):
        args = get_args(one)
        if args and inspect.isclass(get_origin(one)) and issubclass(get_origin(one), Mapping):
            return args[1]
    return _member(kind)
