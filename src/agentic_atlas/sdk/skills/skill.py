"""A skill: one function of an agent that can be called, with its name, schemas and policy."""

import inspect
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, TypedDict

import msgspec

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.messages import Delivery, Policy, SkillSpec
from agentic_atlas.sdk.skills.context import Context, SyncContext
from agentic_atlas.sdk.skills.parameters import Declaration, Function
from agentic_atlas.sdk.skills.schema import Signature, read_signature

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_DESCRIPTION_LENGTH: Final = 16_384


class Kind(StrEnum):
    """How a skill's function is run."""

    ASYNC = "async"
    """`async def`: on the agent's loop; it must not block."""
    STREAM = "stream"
    """`async def` with `yield`: on the loop, each item is a chunk of the output."""
    THREAD = "thread"
    """`def`: in a thread of its own."""
    PROCESS = "process"
    """`def` with `process=True`: in a fresh process of its own, which can be ended at any time."""

    @property
    def on_loop(self) -> bool:
        """Whether it can block the agent's loop."""
        return self in (Kind.ASYNC, Kind.STREAM)


@dataclass(frozen=True, slots=True)
class Skill:
    """One callable function of an agent."""

    name: str
    function: Function
    kind: Kind
    description: str
    signature: Signature
    policy: Policy

    def spec(self) -> SkillSpec:
        """Return what `hello` declares of it."""
        return SkillSpec(
            name=self.name,
            input_schema=self.signature.input_schema,
            description=self.description,
            output_schema=self.signature.output_schema,
            policy=self.policy,
            streams=self.kind is Kind.STREAM,
        )


class Options(TypedDict, total=False):
    """What `@agent.skill(…)` takes; times are seconds."""

    name: str
    """Instead of the function's name."""
    description: str
    """Instead of the function's docstring."""
    process: bool
    """Run it in a fresh process each time: for code that blocks the interpreter, leaks, or may crash."""
    timeout: float
    """Longest time from accepting a task to its result."""
    retries: int
    """Further attempts after an error of the function itself."""
    backoff: float
    """Wait before the first retry; it doubles with each further one."""
    delivery: Literal["at_least_once", "at_most_once"]
    """What happens when the instance is lost while it runs; `at_most_once` for what must not happen twice."""
    max_attempts: int
    """Attempts that may be lost with their instance, the first included."""


_OWN_OPTIONS = {"name", "description", "process"}


def declare(function: Function, options: Options) -> Skill:
    """Make a skill of a function.

    Raises:
        ConfigurationError: it cannot be one; the message names file, line and fix.
    """
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        kind_of = type(function).__name__
        raise ConfigurationError(f"@agent.skill was given a {kind_of}: put it above a `def` or `async def`")
    declaration = Declaration.of(function)
    kind = _kind(function, declaration, process=options.get("process", False))
    signature = read_signature(
        function, declaration, context=Context if kind.on_loop else SyncContext, streams=kind is Kind.STREAM
    )
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


def _kind(function: Function, declaration: Declaration, *, process: bool) -> Kind:
    inner = inspect.unwrap(function)
    if inspect.isgeneratorfunction(inner):
        raise declaration.wrong("it is a plain generator", "write `async def` to stream what it yields")
    asynchronous = inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)
    if process and asynchronous:
        raise declaration.wrong("process=True is for plain functions", "write `def`, or leave out process=True")
    if asynchronous:
        return Kind.STREAM if inspect.isasyncgenfunction(inner) else Kind.ASYNC
    return Kind.PROCESS if process else Kind.THREAD


def _policy(options: Options, declaration: Declaration) -> Policy:
    chosen = {name: value for name, value in options.items() if name not in _OWN_OPTIONS}
    unknown = chosen.keys() - set(Policy.__struct_fields__)
    if unknown:
        fix = f"choose from {', '.join(sorted(Options.__optional_keys__))}"
        raise declaration.wrong(f"it has no option {', '.join(sorted(unknown))}", fix)
    try:
        policy = msgspec.convert(chosen, Policy)
    except msgspec.ValidationError as error:
        raise declaration.wrong(f"an option is not allowed: {error}", "correct it") from None
    if policy.delivery is Delivery.AT_MOST_ONCE and policy.retries:
        fix = "leave out retries, or let it run at least once"
        raise declaration.wrong("it must not run twice (at_most_once) and yet has retries", fix)
    return policy
