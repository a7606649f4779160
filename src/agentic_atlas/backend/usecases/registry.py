"""What a use case is: a function that takes who asks first, and does not begin before their right was checked.

Each is known by its module and its name, and needs the right that `rights.RIGHT_OF` gives it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from agentic_atlas.backend.rights import RIGHT_OF, Principal, require

P = ParamSpec("P")
T = TypeVar("T")
Who = TypeVar("Who", Principal, Principal | None)

USE_CASES: dict[str, Callable[..., object]] = {}
"""Every use case there is, by its name; filled as its module is loaded."""


def use_case(function: Callable[Concatenate[Who, P], T]) -> Callable[Concatenate[Who, P], T]:
    """Make a function a use case: whoever calls it has to have its right, or gets the error of `rights.require`."""
    name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    right = RIGHT_OF[name]

    @wraps(function)
    def checked(who: Who, /, *args: P.args, **kwargs: P.kwargs) -> T:
        require(who, right)
        return function(who, *args, **kwargs)

    USE_CASES[name] = checked
    return checked
