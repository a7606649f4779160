"""The Python API: signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum

import msgspec

import agentic_atlas
from agentic_atlas import errors, testing
from agentic_atlas.compose.limits import attribute_docs
from agentic_atlas.protocol.caller.values import Shown
from agentic_atlas.sdk.client.blocking import Blocking
from tests.docs.reference.markdown import anchor, code, fence, paragraphs, table, wrapped
from tests.docs.reference.source import summary, written_types

_GIVEN = (
    agentic_atlas.AsyncTasks, agentic_atlas.AsyncAgents, agentic_atlas.AsyncTokens, agentic_atlas.AsyncPeople,
    agentic_atlas.AsyncAccount, agentic_atlas.AsyncGroups,
    agentic_atlas.AsyncKeys, agentic_atlas.AsyncLogins, agentic_atlas.AsyncBackups,
    agentic_atlas.TaskHandle, agentic_atlas.BlockingTasks, agentic_atlas.BlockingAgents, agentic_atlas.BlockingTokens,
    agentic_atlas.BlockingPeople, agentic_atlas.BlockingAccount, agentic_atlas.BlockingGroups,
    agentic_atlas.BlockingKeys,
    agentic_atlas.BlockingLogins, agentic_atlas.BlockingBackups, agentic_atlas.BlockingTask, agentic_atlas.Posted,
    agentic_atlas.TaskLog, agentic_atlas.Artifact, agentic_atlas.CallEvent, agentic_atlas.Policy,
    agentic_atlas.SkillSpec, agentic_atlas.AsyncAudit, agentic_atlas.BlockingAudit,
    agentic_atlas.AsyncServer, agentic_atlas.BlockingServer,
    agentic_atlas.AsyncStatistics, agentic_atlas.BlockingStatistics,
    agentic_atlas.AsyncLogs, agentic_atlas.BlockingLogs,
)  # fmt: skip
"""What a program gets from a client or a context."""
MADE_BY_US = (
    *_GIVEN, agentic_atlas.Context, agentic_atlas.SyncContext, testing.Caller, testing.AsyncCaller, testing.Task,
    testing.AsyncTask,
)  # fmt: skip
_SECTION = re.compile(r"^(Args|Raises|Attributes):$", re.MULTILINE)
_ITEM = re.compile(r"^    (\S.*?): (.*(?:\n        .*)*)", re.MULTILINE)
_TITLES = {"Args": "Arguments", "Raises": "Raises", "Attributes": "Attributes"}


def names() -> list[str]:
    """Return the public names, classes of errors last."""
    exported = [name for name in agentic_atlas.__all__ if not name.startswith("__")]
    return sorted(exported, key=lambda name: (_is_error(name), name))


def list_of_names() -> str:
    rows = [(f"[`{name}`](#{anchor(name)})", summary(getattr(agentic_atlas, name))) for name in names()]
    return table(("name", "is"), rows)


def details_of_names() -> str:
    exported = [getattr(agentic_atlas, name) for name in names()]
    named = [one for one in exported if not _given(one)]
    return paragraphs(*(part for one in named for part in (_class if isinstance(one, type) else _function)(one)))


def details_of_answers() -> str:
    exported = [getattr(agentic_atlas, name) for name in names()]
    return paragraphs(*(part for kind in exported if _given(kind) for part in _class(kind)))


def details_of_testing() -> str:
    exported = [getattr(testing, name) for name in testing.__all__]
    functions = [each for each in exported if not isinstance(each, type)]
    parts = [part for each in functions for part in _function(each)]
    return paragraphs(*parts, *(part for kind in exported if isinstance(kind, type) for part in _class(kind)))


def skill_options() -> str:
    docs = attribute_docs(agentic_atlas.SkillOptions)
    rows = [(code(name), code(hint), docs[name]) for name, hint in written_types(agentic_atlas.SkillOptions).items()]
    return table(("option", "type", "meaning"), rows)


def _given(one: object) -> bool:
    """Tell whether a program gets it from a network, and does not make it."""
    return one in _GIVEN or (isinstance(one, type) and issubclass(one, Shown))


def _is_error(name: str) -> bool:
    return isinstance(getattr(errors, name, None), type)


def _class(kind: type) -> Iterator[str]:
    yield f"### {kind.__name__}"
    if not (_plain(kind) or kind in MADE_BY_US or issubclass(kind, Enum) or _is_protocol(kind)):
        yield fence("text", _signature(kind.__name__, kind))
    yield _text(kind.__doc__)
    if "__init__" in vars(kind):
        yield _text(kind.__init__.__doc__)  # type: ignore[misc]
    yield _attributes(kind)
    for name, member in _methods(kind):
        yield f"#### {kind.__name__}.{name}"
        if not isinstance(member, property):
            yield fence("text", _signature(name, member))
        yield _meaning(kind, member)


def _meaning(kind: type, member: object) -> str:
    """Return what a method does; of one that is made from another, where that is said."""
    other = None if _begun(member) else getattr(member, "__wrapped__", None)
    if other is None:
        return _text(inspect.getdoc(member))
    while (inner := getattr(other, "__wrapped__", None)) is not None:
        other = inner
    name = other.__qualname__
    return f"[`{name}`](#{anchor(name)})" + (", blocking." if issubclass(kind, Blocking) else ".")


def _function(function: object) -> Iterator[str]:
    name = function.__name__  # type: ignore[attr-defined]  # what is exported has a name
    yield f"### {name}"
    yield fence("text", _entered(name, function) if hasattr(function, "__wrapped__") else _signature(name, function))
    yield _text(inspect.getdoc(function))


def _plain(kind: type) -> bool:
    """Tell whether the signature says no more than the table of attributes: records and parts."""
    return issubclass(kind, msgspec.Struct | dict) or "model_fields" in dir(kind) or is_dataclass(kind)


def _is_protocol(kind: type) -> bool:
    return bool(getattr(kind, "_is_protocol", False))


def _attributes(kind: type) -> str:
    docs = attribute_docs(kind)
    if issubclass(kind, Enum):
        rows = [(code(str(member.value)), docs.get(member.name, "")) for member in kind]
        return table(("value", "meaning"), rows)
    if not _plain(kind):
        return ""
    rows = [(code(name), code(hint), docs.get(name, "")) for name, hint in written_types(kind).items()]
    return table(("attribute", "type", "meaning"), rows)


def _methods(kind: type) -> Iterator[tuple[str, object]]:
    for name, member in vars(kind).items():
        if name in getattr(kind, "__dataclass_fields__", ()):
            continue
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            yield name, member
        elif isinstance(member, classmethod):
            yield name, member.__func__


def _signature(name: str, member: object) -> str:
    assert callable(member)
    signature = inspect.signature(member)
    if any(
        each.kind is each.VAR_KEYWORD and "SkillOptions" in str(each.annotation)
        for each in signature.parameters.values()
    ):
        return f"@{name}\n@{name}(**options)"
    kept = [each for each in signature.parameters.values() if each.name not in ("self", "cls", "sources")]
    shown = [str(each.replace(annotation=_plain_hint(each.annotation))) for each in kept]
    text = _cleaned(_with_marks(shown, kept))
    result = (
        "" if signature.return_annotation in (inspect.Signature.empty, None, "None") else signature.return_annotation
    )
    arrow = f" -> {_annotation(result)}" if result and not isinstance(member, type) else ""
    waits = _begun(member) or inspect.iscoroutinefunction(member)
    start = "async " if waits or inspect.isasyncgenfunction(member) else ""
    return f"{start}{name}({text}){arrow}"


def _begun(member: object) -> bool:
    """Tell what `awaited` has made, by the code that all of it shares."""
    return getattr(member, "__code__", None) is agentic_atlas.Context.call.__code__


def _entered(name: str, manager: object) -> str:
    """Return how a context manager is entered."""
    signature = _signature(name, manager).removeprefix("async ").partition(" -> ")[0]
    asynchronous = inspect.isasyncgenfunction(manager.__wrapped__)  # type: ignore[attr-defined]
    return f"{'async with' if asynchronous else 'with'} {signature} as caller"


def _with_marks(shown: list[str], parameters: list[inspect.Parameter]) -> str:
    """Put in `/` and `*`, which stand between the kinds of parameters."""
    parts: list[str] = []
    for text, each, before in zip(shown, parameters, [None, *parameters], strict=False):
        if before is not None and before.kind is each.POSITIONAL_ONLY and each.kind is not each.POSITIONAL_ONLY:
            parts.append("/")
        if each.kind is each.KEYWORD_ONLY and "*" not in parts and not any(p.startswith("*") for p in parts):
            parts.append("*")
        parts.append(text)
    if parameters and parameters[-1].kind is inspect.Parameter.POSITIONAL_ONLY:
        parts.append("/")
    return ", ".join(parts)


def _plain_hint(hint: object) -> object:
    return hint if hint is inspect.Parameter.empty else _Shown(_annotation(hint))


class _Shown:
    """An annotation that is printed as its text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _annotation(hint: object) -> str:
    text = hint if isinstance(hint, str) else inspect.formatannotation(hint)
    return _cleaned(text)


def _cleaned(text: str) -> str:
    text = re.sub(r"<class '([\w.]+)'>", r"\1", text)
    text = re.sub(r"ForwardRef\('(\w+)'\)", r"\1", text)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])", "", text)


def _text(docstring: str | None) -> str:
    """Return a docstring as Markdown; its examples are left to the guides."""
    text = re.sub(r"```.*?```", "", inspect.cleandoc(docstring or ""), flags=re.DOTALL)
    head, *sections = _SECTION.split(text)
    parts = [wrapped(head)]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        items = [f"- `{name}`: {' '.join(meaning.split())}" for name, meaning in _ITEM.findall(body)]
        parts += [f"{_TITLES[title]}:", "\n".join(items)]
    return paragraphs(*parts)
