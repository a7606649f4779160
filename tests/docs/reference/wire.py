"""The wire: messages, their parts, limits, close codes."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

import msgspec
from msgspec import Raw, inspect

from agentic_atlas.compose.limits import attribute_docs
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.closing import ADVICE, CloseCode, comes_back
from agentic_atlas.protocol.inside import messages as inside
from agentic_atlas.protocol.messages import MESSAGES, NAMES, Limits, Message, Question
from agentic_atlas.protocol.session import TRANSITIONS, ConnectionState
from tests.docs.reference.markdown import anchor, code, fence, paragraphs, table, wrapped
from tests.docs.reference.source import files, module_docs, summary, tree_of

_NAMED = {"Id": "id", "Name": "agent name", "SkillName": "skill name"}
_FORMS = {str(inspect.type_info(getattr(messages, name))): text for name, text in _NAMED.items()}
_UNITS = {1024**2: "MiB", 1024: "KiB"}


def connection_diagram() -> str:
    return fence("mermaid", drawn())


def drawn() -> str:
    """Draw the table as a Mermaid state diagram: messages with the same arrow on one line, and what moves nothing in a
    note.
    """
    lines = ["stateDiagram-v2", f"    [*] --> {ConnectionState.CONNECTED}: handshake with a valid token"]
    for state, arrows in TRANSITIONS.items():
        for target in dict.fromkeys(arrows.values()):
            names = ", ".join(NAMES[kind] for kind, goal in arrows.items() if goal is target)
            lines.append(f"    {state} --> {target}: {names}" if target is not state else _stays(state, names))
        if state is not ConnectionState.CLOSED:
            lines.append(f"    {state} --> {ConnectionState.CLOSED}: close")
    lines.append(f"    {ConnectionState.CLOSED} --> [*]")
    return "\n".join(lines)


def _stays(state: ConnectionState, names: str) -> str:
    # An arrow to where it came from would lie under its own long text.
    return f"    note left of {state}: {names}"


def named_types() -> str:
    docs = module_docs(messages)
    rows = []
    for name, text in _NAMED.items():
        info = inspect.type_info(getattr(messages, name))
        assert isinstance(info, inspect.StrType)
        rows.append((text, docs[name], f"1 to {info.max_length} characters, `{info.pattern}`"))
    return table(("type", "meaning", "form"), rows)


def message_list() -> str:
    rows = [(f"[`{NAMES[kind]}`](#{anchor(NAMES[kind])})", _direction(kind), summary(kind)) for kind in MESSAGES]
    return table(("message", "from → to", "meaning, and what answers it"), rows)


def message_details() -> str:
    return paragraphs(*(part for kind in MESSAGES for part in _message(kind)))


def part_details() -> str:
    return paragraphs(*(part for kind in _parts() for part in _part(kind)))


def limits() -> str:
    docs = attribute_docs(Limits)
    rows = [
        (code(field.name), _size(field.name, field.default), docs.get(field.name, _LIMITS_PLAIN.get(field.name, "")))
        for field in msgspec.structs.fields(Limits)
    ]
    return table(("limit", "default", "meaning"), rows)


_LIMITS_PLAIN = {
    "control_frames_per_second": "Most ping and pong frames of the agent in a second.",
    "skills": "Most skills of an agent.",
}


def close_codes() -> str:
    rows = [
        (str(int(each)), code(each.name.lower()), _sentence(ADVICE[each].happened), _sentence(ADVICE[each].fix),
         "yes" if comes_back(each) else "no")
        for each in CloseCode
    ]  # fmt: skip
    return table(("code", "name", "what happened", "what to do", "comes back"), rows)


def _message(kind: type[Message]) -> Iterator[str]:
    yield f"### {NAMES[kind]}"
    yield wrapped(kind.__doc__ or "")
    allowed = [state for state, arrows in TRANSITIONS.items() if kind in arrows]
    yield f"{_direction(kind)}, while the connection is {' or '.join(allowed)}."
    yield _fields(kind)


def _part(kind: type) -> Iterator[str]:
    yield f"### {kind.__name__}"
    yield wrapped(kind.__doc__ or "")
    yield _fields(kind)


def _direction(kind: type[Message]) -> str:
    if kind.SENDER is None:
        return "both ways"
    return f"{kind.SENDER} → {kind.SENDER.peer}"


def _parts() -> list[type]:
    """Return the structs inside messages, in the order they are met."""
    found: list[type] = []
    waiting: list[type] = list(reversed(MESSAGES))
    while waiting:
        info = inspect.type_info(waiting.pop())
        assert isinstance(info, inspect.StructType)
        inner = [kind for field in info.fields for kind in _structs(field.type)]
        new = [kind for kind in dict.fromkeys(inner) if kind not in found]
        found += new
        waiting += reversed(new)
    # Of the data of events, which is any JSON else, this has a form of its own.
    return [*found, Question]


def _structs(info: inspect.Type) -> Iterator[type]:
    match info:
        case inspect.StructType(cls=cls):
            yield cls
        case inspect.ListType(item_type=inner) | inspect.VarTupleType(item_type=inner):
            yield from _structs(inner)
        case inspect.UnionType(types=types):
            for each in types:
                yield from _structs(each)


def _fields(kind: type) -> str:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    docs = attribute_docs(kind)
    rows = [(code(field.encode_name), type_text(field.type), _default(field), docs.get(field.name, ""))
            for field in info.fields]  # fmt: skip
    return table(("field", "type", "when left out", "meaning"), rows)


def type_text(info: inspect.Type) -> str:
    """Return a type in words that do not presume a language."""
    if str(info) in _FORMS:
        return f"[{_FORMS[str(info)]}](#forms)"
    match info:
        case inspect.UnionType(types=types):
            return " or ".join(type_text(each) for each in types)
        case (
            inspect.ListType(item_type=inner, min_length=least, max_length=most)
            | inspect.VarTupleType(item_type=inner, min_length=least, max_length=most)
        ):
            return f"array of {f'{least} to {most} ' if least else ''}{type_text(inner)}"
        case inspect.DictType(key_type=key, value_type=value, max_length=most):
            kinds = "strings" if isinstance(key, inspect.StrType) and key == value else type_text(value)
            return f"object of {kinds}{f', at most {most}' if most else ''}"
        case inspect.StructType(cls=cls):
            return f"[{cls.__name__}](#{anchor(cls.__name__)})"
        case inspect.EnumType(cls=cls):
            return _choices([member.value for member in cls])
        case inspect.LiteralType(values=values):
            return _choices(values)
    return _scalar(info)


def _scalar(info: inspect.Type) -> str:
    match info:
        case inspect.StrType(min_length=least, max_length=most):
            if most is None:
                return "string"
            return f"string, {f'{least} to ' if least else 'at most '}{most:,} characters"
        case inspect.IntType() | inspect.FloatType():
            return ("integer" if isinstance(info, inspect.IntType) else "number") + _range(info)
    return {inspect.BoolType: "true or false", inspect.RawType: "any JSON", inspect.NoneType: "null"}[type(info)]


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    least = f" ≥ {info.ge:g}" if info.ge is not None else f" > {info.gt:g}" if info.gt is not None else ""
    if info.le is None or info.le >= 2**53 or info.le >= 1e12:
        return least
    return f"{least}, ≤ {info.le:,}" if least else f" ≤ {info.le:,}"


def _choices(values: object) -> str:
    assert isinstance(values, (list, tuple))
    return ", ".join(code(value) for value in values)


def _default(field: inspect.Field) -> str:
    if field.required:
        return "required"
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, Raw):
        return code(bytes(value).decode())
    return "all as below" if isinstance(value, msgspec.Struct) else code(msgspec.json.encode(value).decode())


def _size(name: str, value: int) -> str:
    if name.endswith("bytes"):
        unit = next(unit for unit in _UNITS if value >= unit and value % unit == 0)
        return f"{value // unit:,} {_UNITS[unit]}"
    return f"{value:,}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def close_reasons() -> str:
    """Return the words in close frames: wherever the source names one beside a close code."""
    found = {(CloseCode[name].value, code(word)) for path in files() for name, word in _reasons(tree_of(path))}
    rows = [(str(number), ", ".join(sorted(word for other, word in found if other == number)))
            for number in sorted({number for number, _ in found})]  # fmt: skip
    return table(("code", "words"), rows)


_CLOSING = {"ShutOut": "AGENT_DISABLED", "Revoke": "TOKEN_REVOKED"}
"""What the backend says to have a router close connections, and with which code it does."""


def _reasons(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _CLOSING and isinstance(node.args[1], ast.Constant):
            yield _CLOSING[ast.unparse(node.func)], node.args[1].value
        parts = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        for first, second in itertools.pairwise(parts):
            word = second.value if isinstance(second, ast.Constant) else None
            if isinstance(second, ast.Name):
                word = getattr(inside, second.id, None)
            if isinstance(first, ast.Attribute) and ast.unparse(first.value) == "CloseCode" and isinstance(word, str):
                yield first.attr, word
