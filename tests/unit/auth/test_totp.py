"""One-time passwords are those of RFC 6238, good for three steps of time, and told apart by their step."""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ElementTree
from base64 import b32encode

import pyotp
import pytest

from agentic_atlas.auth.totp import (
    RECOVERY_CODES,
    STEP,
    matching_step,
    new_recovery_codes,
    new_totp_secret,
    provisioning_uri,
    qr_svg,
    recovery_digest,
)

RFC = b32encode(b"12345678901234567890").decode()
"""The secret of RFC 6238, appendix B."""


@pytest.mark.parametrize(("at", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")])
def test_the_passwords_are_those_of_the_standard(at: int, code: str) -> None:
    assert matching_step(RFC, code, float(at)) == at // STEP
    assert matching_step(RFC, f" {code[:3]} {code[3:]} ", float(at)) == at // STEP


def test_a_password_is_good_for_its_step_and_those_beside_it() -> None:
    step = 50_000_000
    code = pyotp.TOTP(RFC).at(step * STEP)
    found = [matching_step(RFC, code, (step + away) * STEP + 1.0) for away in (-2, -1, 0, 1, 2)]
    assert found == [None, step, step, step, None]
    for wrong in ("", "12345", "abcdef", code + "0", "\ud800" * 6):
        assert matching_step(RFC, wrong, step * STEP + 1.0) is None


def test_a_secret_is_told_to_programs_and_to_cameras() -> None:
    secret = new_totp_secret(secrets.token_bytes)
    assert len(secret) == 32
    uri = provisioning_uri(secret, "ada", "atlas.example.org")
    assert pyotp.parse_uri(uri).now() == pyotp.TOTP(secret).now()
    drawn = ElementTree.fromstring(qr_svg(uri))
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"


def test_recovery_codes_are_many_and_known_however_they_are_typed() -> None:
    codes = new_recovery_codes(secrets.token_bytes)
    assert len(set(codes)) == RECOVERY_CODES
    assert all(len(code) == 19 for code in codes)
    assert recovery_digest(codes[0]) == recovery_digest(f" {codes[0].upper().replace('-', ' ')} ")
    assert recovery_digest(codes[0]) != recovery_digest(codes[1])


def test_without_a_secret_nothing_is_a_password() -> None:
    assert matching_step("", "287082", 59.0) is None
