"""What a door holds of the backend, and what a use case is.

A use case is a function that takes who asks first, and does not begin before their right was checked. Each is known by
its module and its name; `rights.RIGHT_OF` says which right it needs.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import RIGHT_OF, Principal, require

P = ParamSpec("P")
T = TypeVar("T")
Who = TypeVar("Who", Principal, Principal | None)


class Application:
    """The backend, as a door has it: all there is to do with it is to ask who somebody is, and for use cases."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def authenticate(self, secret: str | None) -> Principal:
        """Return who holds this API key; raises Unauthenticated."""
        return await self._engine.access.authenticate(secret)

    def now(self) -> float:
        """Return the server's time, in seconds since the epoch: for what is shown."""
        return self._engine.clock()


USE_CASES: dict[str, Callable[..., object]] = {}
"""Every use case there is, by its name; filled as its module is loaded."""


def use_case(
    function: Callable[Concatenate[Who, Engine, P], T],
) -> Callable[Concatenate[Who, Application, P], T]:
    """Make a function a use case: whoever calls it has to have its right, or gets the error of `rights.require`."""
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    right = RIGHT_OF[name]

    @wraps(function)
    def checked(who: Who, application: Application, /, *args: P.args, **kwargs: P.kwargs) -> T:
        require(who, right)
        return function(who, application._engine, *args, **kwargs)

    USE_CASES[name] = checked
    return checked
