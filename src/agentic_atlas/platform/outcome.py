"""What came of a form that was sent, as it is said there, or at the field that something was wrong with. Pure."""

from typing import TypeVar

import msgspec

from agentic_atlas.errors import AtlasError
from agentic_atlas.http.forms import UnfitForm
from agentic_atlas.platform.page_actions import on_pages

Form = TypeVar("Form", bound=msgspec.Struct)


class FormOutcome(msgspec.Struct, frozen=True):
    """What came of a form.

    Attributes:
        form: its name, to be shown there.
        text: what was done, or what was wrong.
        good: it was done.
        code: of the error.
        field: of the form, in which that was; empty: in none of its own.
        fault: what was wrong there.
    """

    form: str
    text: str
    good: bool = True
    code: str = ""
    field: str = ""
    fault: str = ""


def fit(form: Form | UnfitForm) -> Form:
    """Return a form that fits; raises InvalidInput for one that does not, which `after_form` says at its field."""
    if isinstance(form, UnfitForm):
        raise form.error
    return form


def wrong(form: str, error: AtlasError) -> FormOutcome:
    """Return what is said of what was wrong: at a field, where it is known which one it was."""
    said = error.detail[0] if isinstance(error.detail, list) and error.detail else None
    path = said.get("path") if isinstance(said, dict) else None
    if not path or not isinstance(path, str) or not isinstance(said, dict):
        return FormOutcome(form, on_pages(error.message), good=False, code=error.code)
    name, fault = path.removeprefix("/").partition("/")[0], f"It {said['message']}."
    return FormOutcome(form, "Nothing was done: see below.", good=False, code=error.code, field=name, fault=fault)


def typed(form: Form | UnfitForm, kind: type[Form]) -> Form:
    """Return a form as it was typed, to be shown again; raises as `UnfitForm.typed` does."""
    return form.typed(kind) if isinstance(form, UnfitForm) else form
