"""A skill: one function of an agent that can be called, with its name, schemas and policy."""

import inspect
import re
from dataclasses import dataclass
from enum import StrEnum
from types import CodeType
from typing import Final, Literal, TypedDict

import msgspec

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.messages import Delivery, Policy, SkillSpec
from agentic_atlas.protocol.refusals import refusal
from agentic_atlas.sdk.forms.typed import Signature
from agentic_atlas.sdk.skills.context import Context, SyncContext
from agentic_atlas.sdk.skills.parameters import Declaration, Function
from agentic_atlas.sdk.skills.schema import read_signature

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_DESCRIPTION_LENGTH: Final = 16_384


class Kind(StrEnum):
    """How a skill's function is run."""

    ASYNC = "async"
    """`async def`: on the agent's loop; it must not block."""
    STREAM = "stream"
    """`async def` with `yield`: on the loop, each item is a chunk of the output."""
    WRAPPED = "wrapped"
    """A plain function around one of these, as decorators make them: called in a thread, for it may block; when it
    returns something to be awaited or iterated over, that happens on the loop."""
    THREAD = "thread"
    """`def`: in a thread of its own."""
    GENERATOR = "generator"
    """`def` with `yield`: in a thread of its own, each item is a chunk of the output."""
    PROCESS = "process"
    """`def` with `process=True`: in a fresh process of its own, which can be ended at any time."""

    @property
    def on_loop(self) -> bool:
        """Whether it can block the agent's loop."""
        return self in (Kind.ASYNC, Kind.STREAM, Kind.WRAPPED)

    @property
    def off_loop(self) -> bool:
        """Whether it can be at work while the loop is idle."""
        return self not in (Kind.ASYNC, Kind.STREAM)


@dataclass(frozen=True, slots=True)
class Skill:
    """One callable function of an agent."""

    name: str
    function: Function
    kind: Kind
    description: str
    signature: Signature
    policy: Policy
    streams: bool
    """Whether each item that it yields is a chunk of the output."""

    def redefines(self, before: "Skill") -> bool:
        """Tell whether this is the function of that skill, defined again: a cell of a notebook that was run again."""
        new, old = inspect.unwrap(self.function), inspect.unwrap(before.function)
        if (new.__module__, new.__qualname__) != (old.__module__, old.__qualname__):
            return False
        # In one file, two functions of a name on different lines are a mistake.
        here: CodeType = new.__code__
        there: CodeType = old.__code__
        return here.co_filename != there.co_filename or here.co_firstlineno == there.co_firstlineno

    def spec(self) -> SkillSpec:
        """Return what `hello` declares of it."""
        return SkillSpec(
            name=self.name,
            input_schema=self.signature.input_schema,
            description=self.description,
            output_schema=self.signature.output_schema,
            policy=self.policy,
            streams=self.streams,
        )


class SkillOptions(TypedDict, total=False):
    """What `@agent.skill(…)` takes; times are seconds."""

    name: str
    """Instead of the function's name."""
    description: str
    """Instead of the function's docstring."""
    process: bool
    """Run it in a fresh process each time: for code that blocks the interpreter, leaks, or may crash."""
    timeout: float
    """Longest time from the start of the skill to its result."""
    retries: int
    """Further attempts after an error of the function itself."""
    backoff: float
    """Wait before the first retry; it doubles with each further one."""
    delivery: Literal["at_least_once", "at_most_once"]
    """What happens when the instance is lost while it runs; `at_most_once` for what must not happen twice."""
    max_attempts: int
    """Attempts that may be lost with their instance, the first included."""


_OPTION_FIX = "give it another value in @agent.skill(…)"
_OWN_OPTIONS = {"name", "description", "process"}


def declare(function: Function, options: SkillOptions) -> Skill:
    """Make a skill of a function.

    Raises:
        ConfigurationError: it cannot be one; the message names file, line and fix.
    """
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        kind_of = type(function).__name__
        raise ConfigurationError(f"@agent.skill was given a {kind_of}: put it above a `def` or `async def`")
    declaration = Declaration.of(function)
    kind, streams = _kind(function, declaration, process=options.get("process", False))
    signature = read_signature(function, declaration, context=Context if kind.on_loop else SyncContext, streams=streams)
    if kind is Kind.PROCESS and signature.context is not None:
        fix = "remove it, or leave out process=True"
        raise declaration.wrong(f'a separate process has no context for "{signature.context}"', fix)
    return Skill(
        name=_name(options.get("name", function.__name__), declaration),
        function=function,
        kind=kind,
        description=_description(options.get("description", inspect.getdoc(function) or ""), declaration),
        signature=signature,
        policy=_policy(options, declaration),
        streams=streams,
    )


def _name(name: str, declaration: Declaration) -> str:
    if not _NAME.fullmatch(name):
        fix = 'give it one with name="…": up to 64 ASCII letters, digits, _ and -, no digit or - first'
        raise declaration.wrong(f"{name!r} is no name for a skill", fix)
    return name


def _description(text: str, declaration: Declaration) -> str:
    if len(text) > _DESCRIPTION_LENGTH:
        raise declaration.wrong(f"its description has {len(text)} characters", f"shorten it to {_DESCRIPTION_LENGTH}")
    return text


def _kind(function: Function, declaration: Declaration, *, process: bool) -> tuple[Kind, bool]:
    """Return how a function is run, and whether it streams.

    What is called is the outermost function. When that is a plain one, those below its decorators say what it may
    return.
    """
    plain = _own_kind(function) is Kind.THREAD
    kind = _own_kind(inspect.unwrap(function, stop=lambda one: _own_kind(one) is not Kind.THREAD))
    streams = kind in (Kind.STREAM, Kind.GENERATOR)
    if process and streams:
        raise declaration.wrong("a process of its own has no chunks", "return a list, or leave out process=True")
    if process and not plain:
        raise declaration.wrong("process=True is for plain functions", "write `def`, or leave out process=True")
    if process:
        return Kind.PROCESS, False
    return (Kind.WRAPPED if plain and kind.on_loop else kind), streams


def _own_kind(function: Function) -> Kind:
    """Return what a function is by itself, whatever it wraps."""
    for is_one, kind in (
        (inspect.iscoroutinefunction, Kind.ASYNC),
        (inspect.isasyncgenfunction, Kind.STREAM),
        (inspect.isgeneratorfunction, Kind.GENERATOR),
    ):
        if is_one(function):
            return kind
    return Kind.THREAD


def _policy(options: SkillOptions, declaration: Declaration) -> Policy:
    chosen = {name: value for name, value in options.items() if name not in _OWN_OPTIONS}
    unknown = chosen.keys() - set(Policy.__struct_fields__)
    if unknown:
        fix = f"choose from {', '.join(sorted(SkillOptions.__optional_keys__))}"
        raise declaration.wrong(f"it has no option {', '.join(sorted(unknown))}", fix)
    try:
        policy = msgspec.convert(chosen, Policy)
    except msgspec.ValidationError as error:
        found = refusal(error, Policy, chosen)
        raise declaration.wrong(f"its option {found.sentence}", _OPTION_FIX) from None
    if policy.delivery is Delivery.AT_MOST_ONCE and policy.retries:
        fix = "leave out retries, or let it run at least once"
        raise declaration.wrong("it must not run twice (at_most_once) and yet has retries", fix)
    return policy
