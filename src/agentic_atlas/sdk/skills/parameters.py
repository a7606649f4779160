"""A function's parameters: which the caller fills in, which is the context, and which mistakes are refused.

All of it happens when the module of the agent is imported, so a broken signature never gets as far as a caller.
"""

import inspect
import typing
import warnings
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydantic import AliasChoices, AliasPath, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, SchemaError

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk.forms.faults import faults, sentence, why
from agentic_atlas.sdk.forms.typed import UNKNOWN, TypeForm
from agentic_atlas.sdk.skills.context import Context, SyncContext

Function: TypeAlias = Callable[..., Any]

CONTEXT_NAME: Final = "ctx"
"""A parameter of this name needs no annotation to be the context."""

_CONTEXTS: Final[dict[str, object]] = {kind.__name__: kind for kind in (Context, SyncContext)}
_LINEAR: Final = "write a pattern without look-around and back-references, or check that in the function"
_VARIABLE = {
    inspect.Parameter.VAR_POSITIONAL: "takes any number of values",
    inspect.Parameter.VAR_KEYWORD: "takes any name",
    inspect.Parameter.POSITIONAL_ONLY: "has no name for its caller",
}


@dataclass(frozen=True, slots=True)
class Declaration:
    """Where a skill is declared, to say so in errors."""

    file: str
    line: int
    name: str

    @classmethod
    def of(cls, function: Function) -> "Declaration":
        """Find the file and line of a function, below its decorators."""
        code = inspect.unwrap(function).__code__
        return cls(code.co_filename, code.co_firstlineno, function.__name__)

    def wrong(self, problem: str, fix: str) -> ConfigurationError:
        """Return the error that names the place, the problem and the fix."""
        return ConfigurationError(f"{self.file}:{self.line}: skill {self.name}: {problem}; {fix}", code="broken_skill")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that the caller fills in.

    Attributes:
        key: its name in the input: its alias, for words that cannot be a parameter's name, or the name itself.
        annotation: its type, `Annotated` metadata included.
        default: checked, so a call need not; `inspect.Parameter.empty` when it has none.
        description: the texts in its `Annotated`, joined.
    """

    name: str
    key: str
    annotation: object
    default: object
    description: str | None


def read_parameters(
    function: Function, declaration: Declaration, *, context: type[Context]
) -> tuple[tuple[Parameter, ...], str | None, object]:
    """Read a function's signature; `context` is the class of context that this kind of function gets.

    Returns what its caller fills in, the name of the parameter that gets the context, if any, and the return
    annotation, `inspect.Signature.empty` when there is none.

    Raises:
        ConfigurationError: the signature cannot be that of a skill; the message names file, line, parameter and fix.
    """
    hints = _hints(function, declaration)
    fields: list[Parameter] = []
    found: str | None = None
    for parameter in inspect.signature(function).parameters.values():
        if _is_context(parameter, hints):
            if found is not None:
                raise declaration.wrong(f'both "{found}" and "{parameter.name}" are the context', "keep one of them")
            found = parameter.name
            _check_context(hints.get(found), declaration, context)
        else:
            fields.append(_field(parameter, hints, declaration))
    _check_keys(fields, declaration)
    return tuple(fields), found, hints.get("return", inspect.Signature.empty)


def _hints(function: Function, declaration: Declaration) -> Mapping[str, object]:
    module = getattr(inspect.unwrap(function), "__globals__", {})
    # An import of Context for type checkers alone is common and need not be an error.
    names = {name: kind for name, kind in _CONTEXTS.items() if name not in module}
    try:
        return typing.get_type_hints(function, localns=names, include_extras=True)
    except NameError as error:
        fix = "define or import it at the top of the module (an import under TYPE_CHECKING is not enough)"
        raise declaration.wrong(f'its annotations name "{error.name}", which is not known', fix) from None
    except (TypeError, SyntaxError, AttributeError) as error:
        raise declaration.wrong(f"an annotation cannot be read: {error}", "write a type") from None


def _is_context(parameter: inspect.Parameter, hints: Mapping[str, object]) -> bool:
    annotation = hints.get(parameter.name)
    if annotation is None:
        return parameter.name == CONTEXT_NAME
    kinds = (annotation, *typing.get_args(annotation))
    return any(inspect.isclass(kind) and issubclass(kind, Context) for kind in kinds)


def _check_context(annotation: object, declaration: Declaration, given: type[Context]) -> None:
    if annotation is SyncContext and given is not SyncContext:
        fix = "annotate it as Context (SyncContext is for plain `def` skills)"
        raise declaration.wrong("its context would block the loop", fix)


def _field(parameter: inspect.Parameter, hints: Mapping[str, object], declaration: Declaration) -> Parameter:
    name = parameter.name
    if parameter.kind in _VARIABLE:
        fix = "write each input as a named parameter with a type, for instance `text: str`"
        raise declaration.wrong(f'parameter "{name}" {_VARIABLE[parameter.kind]}', fix)
    if name not in hints and name in ("self", "cls"):
        fix = "skills are functions: write it outside the class, or declare a bound method, agent.skill(thing.method)"
        raise declaration.wrong(f'it is a method, with a parameter "{name}"', fix)
    if name not in hints:
        fix = f"write what it takes, for instance `{name}: str` (or `{name}: Any` for any JSON value)"
        raise declaration.wrong(f'parameter "{name}" has no type', fix)
    annotation = hints[name]
    form = _form(name, annotation, declaration)
    default = _checked_default(parameter, form, declaration)
    texts = [text for text in getattr(annotation, "__metadata__", ()) if isinstance(text, str)]
    return Parameter(name, _key(parameter, annotation, declaration), annotation, default, " ".join(texts) or None)


def _key(parameter: inspect.Parameter, annotation: object, declaration: Declaration) -> str:
    told = [*getattr(annotation, "__metadata__", ()), parameter.default]
    aliases = [info.validation_alias for info in told if isinstance(info, FieldInfo) and info.validation_alias]
    alias = aliases[-1] if aliases else parameter.name
    if isinstance(alias, AliasChoices | AliasPath):
        fix = f'give it one name, for instance `Field(alias="{parameter.name}")`'
        raise declaration.wrong(f'parameter "{parameter.name}" has more than one alias, or a path', fix)
    return alias


def _check_keys(fields: list[Parameter], declaration: Declaration) -> None:
    keys = [field.key for field in fields]
    twice = next((field for field in fields if keys.count(field.key) > 1), None)
    if twice is not None:
        raise declaration.wrong(f'two parameters are called "{twice.key}" in the input', "change one alias")


def _form(name: str, annotation: object, declaration: Declaration) -> TypeForm:
    try:
        with warnings.catch_warnings():
            # An alias is the parameter's, not the type's: Pydantic says that it means nothing for the type alone.
            warnings.filterwarnings("ignore", message=r"The '\w*alias' attribute")
            form = TypeForm(annotation)
        form.json_schema()
    except UNKNOWN as error:
        fix = "use plain types, dataclasses, TypedDicts, Pydantic models or Any"
        problem = f'the type of parameter "{name}" has no JSON form: {why(error)}'
        raise declaration.wrong(problem, _LINEAR if isinstance(error, SchemaError) else fix) from None
    return form


def _checked_default(parameter: inspect.Parameter, form: TypeForm, declaration: Declaration) -> object:
    """Return the default as a value of its type: at a call it is taken as it is."""
    default = parameter.default
    if isinstance(default, FieldInfo):
        if default.default is PydanticUndefined:
            return default
        checked = copy(default)
        checked.default = _checked(parameter.name, default.default, form, declaration)
        return checked
    return default if default is inspect.Parameter.empty else _checked(parameter.name, default, form, declaration)


def _checked(name: str, default: object, form: TypeForm, declaration: Declaration) -> object:
    try:
        return form.check(default)
    except ValidationError as error:
        problem = f'the default of parameter "{name}" is not of its type: {sentence(faults(error, default))}'
        hint = "write `… | None = None` for an optional one" if default is None else "change one of the two"
        raise declaration.wrong(problem, hint) from None
