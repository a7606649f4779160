"""Logins of machines that hold no credentials, as the API shows them."""

from datetime import datetime

import msgspec

from agentic_atlas.api.views.times import at
from agentic_atlas.backend.engine.logins import Applicant, Codes


class LoginCodesView(msgspec.Struct):
    """A login that was begun: one code to ask with, one for a person to approve."""

    device_code: str
    user_code: str
    expires_in: float
    """Seconds in which it has to be approved and fetched."""
    interval: float
    """Seconds to wait between two questions."""


class LoginView(msgspec.Struct):
    """Who wants to log in; the name of the host is what they say."""

    host: str
    address: str
    age: float
    """Seconds since they asked."""
    asked_at: datetime
    expires_at: datetime


def login_codes_view(codes: Codes) -> LoginCodesView:
    """Show the codes of a login, this once."""
    return LoginCodesView(codes.device_code, codes.user_code, codes.expires_in, codes.interval)


def login_view(applicant: Applicant, now: float) -> LoginView:
    """Show who wants to log in."""
    age = max(0.0, now - applicant.asked_at)
    return LoginView(applicant.host, applicant.address, age, at(applicant.asked_at), at(applicant.expires_at))
