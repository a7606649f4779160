"""Logins that wait for approval: what they come to, and what a guesser or a flood can do to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest

from agentic_atlas.auth import digest
from agentic_atlas.backend.engine.logins import (
    ALPHABET,
    BEGUN_PER_MINUTE,
    INTERVAL,
    LIFETIME,
    LONGEST_INTERVAL,
    MOST_APPROVED,
    MOST_PENDING,
    WRONG_PER_MINUTE,
    Logins,
)
from agentic_atlas.errors import AtlasError, Busy, Conflict, Forbidden, InvalidInput, NotFound
from agentic_atlas.protocol.caller.people import LoginCodes

KEY = digest("atlas_ada's key")
ENTROPY = Random(7).randbytes


def begun(logins: Logins, *, now: float = 0.0, address: str = "192.0.2.1") -> LoginCodes:
    return logins.begin("box", address, now=now, entropy=ENTROPY)


def code_of(kind: type[AtlasError], work: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        work()
    return caught.value.code


def test_an_approved_login_is_collected_once() -> None:
    logins = Logins()
    codes = begun(logins)
    assert code_of(Conflict, lambda: logins.collect(codes.device_code, now=5.0)) == "authorization_pending"
    applicant = logins.approve(codes.user_code, user_id="ada", key_digest=KEY, now=6.0)
    assert (applicant.host, applicant.address, applicant.asked_at) == ("box", "192.0.2.1", 0.0)
    assert logins.collect(codes.device_code, now=10.0)[1] == KEY
    assert code_of(NotFound, lambda: logins.collect(codes.device_code, now=15.0)) == "expired_token"
    assert len(logins) == 0


def test_a_denied_login_says_so_until_its_time_is_over() -> None:
    logins = Logins()
    codes = begun(logins)
    logins.deny(codes.user_code, user_id="ada", now=1.0)
    assert code_of(Forbidden, lambda: logins.collect(codes.device_code, now=5.0)) == "access_denied"
    assert code_of(Forbidden, lambda: logins.collect(codes.device_code, now=10.0)) == "access_denied"
    assert code_of(NotFound, lambda: logins.collect(codes.device_code, now=LIFETIME)) == "expired_token"


@pytest.mark.parametrize("first", ["approve", "deny"])
def test_a_login_is_decided_once(first: str) -> None:
    logins = Logins()
    codes = begun(logins)
    decide = {
        "approve": lambda: logins.approve(codes.user_code, user_id="ada", key_digest=KEY, now=1.0),
        "deny": lambda: logins.deny(codes.user_code, user_id="ada", now=1.0),
        "find": lambda: logins.find(codes.user_code, user_id="ada", now=1.0),
    }
    decide["find"]()
    decide[first]()
    for again in decide.values():
        assert code_of(NotFound, again) == "login_code_not_found"


def test_the_time_of_a_login_ends_whether_it_was_approved_or_not() -> None:
    logins = Logins()
    waiting, approved = begun(logins), begun(logins)
    logins.approve(approved.user_code, user_id="ada", key_digest=KEY, now=LIFETIME - 1)
    assert code_of(NotFound, lambda: logins.find(waiting.user_code, user_id="ada", now=LIFETIME))
    assert code_of(NotFound, lambda: logins.collect(waiting.device_code, now=LIFETIME)) == "expired_token"
    assert code_of(NotFound, lambda: logins.collect(approved.device_code, now=LIFETIME)) == "expired_token"
    assert len(logins) == 0


def test_whoever_asks_too_soon_waits_longer_each_time() -> None:
    logins = Logins()
    codes = begun(logins)
    assert code_of(Conflict, lambda: logins.collect(codes.device_code, now=1.0)) == "authorization_pending"
    for now, interval in ((2.0, 2 * INTERVAL), (11.0, 3 * INTERVAL)):
        with pytest.raises(Busy) as slower:
            logins.collect(codes.device_code, now=now)
        assert (slower.value.code, slower.value.retry_after) == ("slow_down", interval)
    assert code_of(Conflict, lambda: logins.collect(codes.device_code, now=26.0)) == "authorization_pending"
    for _ in range(30):
        assert code_of(Busy, lambda: logins.collect(codes.device_code, now=26.0)) == "slow_down"
    logins.approve(codes.user_code, user_id="ada", key_digest=KEY, now=30.0)
    assert logins.collect(codes.device_code, now=26.0 + LONGEST_INTERVAL)[1] == KEY


def test_a_user_code_is_found_however_it_is_typed() -> None:
    logins = Logins()
    code = begun(logins).user_code
    assert re.fullmatch(f"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", code)
    for typed in (code.lower(), code.replace("-", ""), f" {code[:2]} {code[2:]}\n"):
        assert logins.find(typed, user_id="ada", now=1.0).host == "box"


def test_wrong_codes_of_one_user_are_bounded_and_right_ones_do_not_help_a_guesser() -> None:
    logins = Logins()
    codes = begun(logins)
    for _ in range(WRONG_PER_MINUTE):
        assert code_of(NotFound, lambda: logins.find("BBBB-BBBB", user_id="eve", now=1.0)) == "login_code_not_found"
    for typed in ("BBBB-BBBC", codes.user_code):
        with pytest.raises(Busy) as refused:
            logins.approve(typed, user_id="eve", key_digest=KEY, now=2.0)
        assert refused.value.retry_after == 59.0
    assert logins.find(codes.user_code, user_id="ada", now=2.0).host == "box"
    assert logins.find(codes.user_code, user_id="eve", now=61.0).host == "box"


def test_right_codes_are_not_counted() -> None:
    logins = Logins()
    code = begun(logins).user_code
    for _ in range(3 * WRONG_PER_MINUTE):
        assert logins.find(code, user_id="ada", now=1.0).host == "box"


def test_one_address_begins_so_many_a_minute_and_no_more() -> None:
    logins = Logins()
    for _ in range(BEGUN_PER_MINUTE):
        begun(logins)
    assert code_of(Busy, lambda: begun(logins)) == "too_many_requests"
    begun(logins, address="192.0.2.2")
    begun(logins, now=60.0)
    assert len(logins) == BEGUN_PER_MINUTE + 2


def test_a_flood_fills_a_bounded_table_that_empties_by_itself_and_keeps_out_nobody_but_itself() -> None:
    logins = Logins()
    early = begun(logins, address="198.51.100.1")
    approved = begun(logins, address="2001:db8:1:100::1")
    logins.approve(approved.user_code, user_id="ada", key_digest=KEY, now=0.0)
    flood = [begun(logins, address=f"2001:db8:1:1{number % 256:02x}::2") for number in range(2 * MOST_PENDING)]
    assert len(logins) == MOST_PENDING
    late = begun(logins, now=1.0)
    beside = begun(logins, now=1.0, address="2001:db8:1:200::1")
    for _ in range(2):
        flood += [
            begun(logins, now=61.0, address=f"2001:db8:1:1{number % 256:02x}::2") for number in range(MOST_PENDING)
        ]
    assert len(logins) == MOST_PENDING
    for mine in (early, late, beside):
        assert logins.approve(mine.user_code, user_id="ada", key_digest=KEY, now=62.0).host == "box"
    for mine in (approved, early, late, beside):
        assert logins.collect(mine.device_code, now=62.0)[1] == KEY
    assert code_of(NotFound, lambda: logins.collect(flood[0].device_code, now=62.0)) == "expired_token"
    assert code_of(NotFound, lambda: logins.find(flood[0].user_code, user_id="ada", now=62.0)) == "login_code_not_found"
    assert logins.find(flood[-1].user_code, user_id="ada", now=62.0).host == "box"
    begun(logins, now=61.0 + LIFETIME)
    assert len(logins) == 1


def test_who_approves_many_and_has_none_of_them_fetched_shuts_out_nobody() -> None:
    logins = Logins()
    mine = begun(logins, address="198.51.100.1")
    logins.approve(mine.user_code, user_id="ada", key_digest=KEY, now=0.0)
    many = [begun(logins, address=f"10.0.{number // 250}.{number % 250}") for number in range(MOST_PENDING - 1)]
    for codes in many:
        logins.approve(codes.user_code, user_id="vic", key_digest=KEY, now=0.0)
    assert len(logins) == MOST_APPROVED
    for number in range(MOST_PENDING):
        late = begun(logins, now=1.0, address=f"10.1.{number // 250}.{number % 250}")
    assert len(logins) == MOST_PENDING
    logins.approve(late.user_code, user_id="eve", key_digest=KEY, now=2.0)
    for fetched in (mine, late, many[-1]):
        assert logins.collect(fetched.device_code, now=2.0)[1] == KEY
    assert code_of(NotFound, lambda: logins.collect(many[0].device_code, now=2.0)) == "expired_token"


def test_a_code_that_comes_twice_is_not_given_to_two() -> None:
    logins = Logins()

    def constant(count: int) -> bytes:
        return bytes(count)

    first = logins.begin("box", "192.0.2.1", now=0.0, entropy=constant)
    with pytest.raises(Busy):
        logins.begin("other", "192.0.2.2", now=0.0, entropy=constant)
    assert logins.find(first.user_code, user_id="ada", now=0.0).host == "box"


def test_neither_code_is_held_or_shown() -> None:
    logins = Logins()
    codes = begun(logins)
    logins.approve(codes.user_code, user_id="ada", key_digest=KEY, now=1.0)
    held = repr(vars(logins)) + repr(codes)
    assert codes.device_code not in held
    assert codes.user_code.replace("-", "") not in held
    assert codes.user_code not in held


@pytest.mark.parametrize(
    "host",
    ["two\nlines", "\x1b[2J", "turned \u202e round", "this machine (atlas update)", "-box", "box.", "", "b" * 65],
)
def test_a_name_that_would_deceive_whoever_approves_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput):
        Logins().begin(host, "192.0.2.1", now=0.0, entropy=ENTROPY)
