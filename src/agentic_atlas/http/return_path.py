"""Where a browser goes once its user is logged in: a page of ours, whatever the link says that brought it. Pure."""

import re
from typing import Annotated, Final, TypeAlias
from urllib.parse import quote, urlsplit

from pydantic import Field

from agentic_atlas.http.whereabouts import HOME_PAGE, LOGIN_PAGE

Next: TypeAlias = Annotated[str, Field(max_length=2_000)]
"""A path that is said in a query, to be looked at by `return_path`."""

# One slash at the beginning, and nothing that browsers leave out or read as a slash: `//host` is another host.
_OF_OURS: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1999}")


def return_path(said: str) -> str:
    """Return a path that was asked for before the log-in; the first page in place of what is none of ours."""
    ours = _OF_OURS.fullmatch(said) is not None and urlsplit(said).path != LOGIN_PAGE
    return said if ours else HOME_PAGE


def login_path(asked: str) -> str:
    """Return where to log in for a path that was asked for, and come back to it."""
    back = return_path(asked)
    return LOGIN_PAGE if back == HOME_PAGE else f"{LOGIN_PAGE}?next={quote(back, safe='/')}"
