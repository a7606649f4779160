"""The Python API: signatures and docstrings."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import agentic_atlas
from agentic_atlas import errors, testing
from agentic_atlas.sdk.client import errors as client_errors
from agentic_atlas.sdk.client import records as client_records
from agentic_atlas.sdk.client import task as client_task
from agentic_atlas.sdk.client.blocking import BlockingTask
from agentic_atlas.sdk.skills.artifact import Artifact
from agentic_atlas.sdk.skills.skill import SkillOptions
from agentic_atlas.sdk.skills.task_log import TaskLog
from tests.docs.reference.markdown import anchor, code, fence, paragraphs, table, wrapped
from tests.docs.reference.source import attribute_docs, summary, written_types

_ANSWERS = (
    client_task.TaskHandle, BlockingTask, client_records.TaskInfo, client_records.TaskSummary, client_records.Page,
    client_records.TaskEvent,
    client_records.TaskFault, client_records.CallerInfo, client_records.AgentInfo, client_records.SkillInfo,
    client_records.AgentInstance, client_records.TokenInfo, client_records.NewToken, client_records.UserInfo,
    client_records.ApiKeyInfo, client_records.WhoAmI, Artifact, TaskLog,
    client_errors.NotFinished, client_errors.ConnectionCut, client_errors.UnexpectedAnswer,
)  # fmt: skip
_MADE_BY_US = (
    agentic_atlas.Context, agentic_atlas.SyncContext, client_task.TaskHandle, BlockingTask, TaskLog,
    testing.Caller, testing.AsyncCaller, testing.Task, testing.AsyncTask,
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
    return paragraphs(*(part for one in exported for part in (_class if isinstance(one, type) else _function)(one)))


def details_of_answers() -> str:
    return paragraphs(*(part for kind in _ANSWERS for part in _class(kind)))


def details_of_testing() -> str:
    exported = [getattr(testing, name) for name in testing.__all__]
    functions = [each for each in exported if not isinstance(each, type)]
    parts = [part for each in functions for part in _function(each)]
    return paragraphs(*parts, *(part for kind in exported if isinstance(kind, type) for part in _class(kind)))


def skill_options() -> str:
    docs = attribute_docs(SkillOptions)
    rows = [(code(name), code(hint), docs[name]) for name, hint in written_types(SkillOptions).items()]
    return table(("option", "type", "meaning"), rows)


def _is_error(name: str) -> bool:
    return isinstance(getattr(errors, name, None), type)


def _class(kind: type) -> Iterator[str]:
    yield f"### {kind.__name__}"
    if not _plain(kind) and kind not in _MADE_BY_US:
        yield fence("text", _signature(kind.__name__, kind))
    yield _text(kind.__doc__)
    if "__init__" in vars(kind):
        yield _text(kind.__init__.__doc__)  # type: ignore[misc]
    yield _attributes(kind)
    for name, member in _methods(kind):
        yield f"#### {kind.__name__}.{name}"
        if not isinstance(member, property):
            yield fence("text", _signature(name, member))
        yield _text(inspect.getdoc(member))


def _function(function: object) -> Iterator[str]:
    name = function.__name__  # type: ignore[attr-defined]  # what is exported has a name
    yield f"### {name}"
    yield fence("text", _signature(name, function))
    yield _text(inspect.getdoc(function))


def _plain(kind: type) -> bool:
    """Tell whether the signature says no more than the table of attributes: records and parts."""
    return issubclass(kind, (client_records.Record, Artifact)) or "model_fields" in dir(kind)


def _attributes(kind: type) -> str:
    if not _plain(kind):
        return ""
    docs = attribute_docs(kind)
    rows = [(code(name), code(hint), docs.get(name, "")) for name, hint in written_types(kind).items()]
    return table(("attribute", "type", "meaning"), rows)


def _methods(kind: type) -> Iterator[tuple[str, object]]:
    for name, member in vars(kind).items():
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
    if hasattr(member, "__wrapped__"):  # only context managers are
        start = "async with" if inspect.isasyncgenfunction(member.__wrapped__) else "with"
        return f"{start} {name}({text}) as caller"
    start = "async " if inspect.iscoroutinefunction(member) else ""
    return f"{start}{name}({text}){arrow}"


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
