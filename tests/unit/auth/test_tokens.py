"""The token table of the door: what is let in, and every way we know of getting in without being let."""

import hashlib
import hmac
import json
import string
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas import auth
from agentic_atlas.auth import AgentClaims, KeyRing, TokenRefused, mint, verify
from tests.unit.auth.forge import (
    CLAIMS,
    HEADER,
    KEY,
    NETWORK,
    NOW,
    OTHER_KEY,
    PAYLOAD,
    RING,
    b64,
    forged,
    without,
)

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
PUBLIC = KEY.private.public_key()
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493  # of Ed25519, RFC 8032 section 5.1


def refusal(token: str | bytes, now: float = NOW, network: str = NETWORK) -> str:
    with pytest.raises(TokenRefused) as caught:
        verify(token, RING.verification, network=network, now=now)
    return caught.value.code


def signed_with_hmac(secret: bytes, alg: str = "HS256") -> str:
    signed = f"{b64(json.dumps({**HEADER, 'alg': alg}))}.{b64(json.dumps(PAYLOAD))}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


# What is let in


def test_a_minted_token_verifies_to_the_same_claims() -> None:
    assert verify(mint(RING, CLAIMS), RING.verification, network=NETWORK, now=NOW) == CLAIMS


def test_a_token_verifies_as_bytes_too() -> None:
    assert verify(mint(RING, CLAIMS).encode(), RING.verification, network=NETWORK, now=NOW) == CLAIMS


def test_the_forger_of_these_tests_writes_tokens_that_are_accepted() -> None:
    assert verify(forged(), RING.verification, network=NETWORK, now=NOW) == CLAIMS


def test_a_claim_from_a_newer_backend_is_ignored() -> None:
    token = forged(payload={**PAYLOAD, "mood": {"now": ["fine"]}})
    assert verify(token, RING.verification, network=NETWORK, now=NOW) == CLAIMS


def test_a_token_says_which_one_it_came_out_of() -> None:
    successor = replace(CLAIMS, jti="tok-2", lineage="tok-1")
    assert verify(mint(RING, successor), RING.verification, network=NETWORK, now=NOW) == successor
    for odd in ("", "tok 1", 7, None, ["tok-1"]):
        with pytest.raises(TokenRefused) as refused:
            verify(forged(payload={**PAYLOAD, "lineage": odd}), RING.verification, network=NETWORK, now=NOW)
        assert refused.value.code == "token_claims_invalid"


def test_the_largest_claims_make_a_token_within_the_limit() -> None:
    longest = AgentClaims(
        jti="j" * auth.MAX_ID,
        lineage="l" * auth.MAX_ID,
        agent_id="a" * auth.MAX_ID,
        network="n" * auth.MAX_ID,
        name="\U0001f600" * auth.MAX_NAME,
        scopes=auth.AGENT_SCOPES,
        iat=0,
        nbf=0,
        exp=253_402_300_799,
    )
    token = mint(RING, longest)
    assert len(token) <= auth.MAX_TOKEN_BYTES
    assert verify(token, RING.verification, network=longest.network, now=NOW) == longest


IDS = st.text(string.ascii_letters + string.digits + "._~-", min_size=1, max_size=auth.MAX_ID)
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=auth.MAX_NAME)


@settings(max_examples=30, deadline=None)
@given(
    st.builds(
        AgentClaims,
        jti=IDS,
        agent_id=IDS,
        network=IDS,
        name=NAMES,
        scopes=st.lists(st.sampled_from(auth.AGENT_SCOPES), unique=True).map(tuple),
        iat=st.integers(0, NOW + auth.CLOCK_LEEWAY),
        nbf=st.integers(0, NOW + auth.CLOCK_LEEWAY),
        exp=st.integers(NOW + auth.CLOCK_LEEWAY + 1, 253_402_300_799),
    )
)
def test_any_claims_survive_minting_and_verifying(claims: AgentClaims) -> None:
    assert verify(mint(RING, claims), RING.verification, network=claims.network, now=NOW) == claims


# Algorithms and signatures


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "NONE", "", "eddsa", "Ed25519", "RS256", None, 1, []])
def test_no_algorithm_but_eddsa_is_accepted(alg: object) -> None:
    token = forged(header={**HEADER, "alg": alg})
    assert refusal(token) == "token_wrong_algorithm"
    assert refusal(token.rpartition(".")[0] + ".") == "token_wrong_algorithm"


@pytest.mark.parametrize(
    "secret",
    [
        PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        PUBLIC.public_bytes_raw(),
        b64(PUBLIC.public_bytes_raw()).encode(),
        b"",
    ],
    ids=["pem", "der", "raw", "jwk-x", "empty"],
)
def test_a_public_key_is_no_hmac_secret(secret: bytes) -> None:
    assert refusal(signed_with_hmac(secret)) == "token_wrong_algorithm"
    assert refusal(signed_with_hmac(secret, alg="EdDSA")) == "token_bad_signature"


def test_a_stripped_signature_is_refused() -> None:
    assert refusal(forged().rpartition(".")[0] + ".") == "token_bad_signature"
    assert refusal(forged().rpartition(".")[0]) == "token_malformed"


def test_a_signature_of_another_key_under_our_key_id_is_refused() -> None:
    assert refusal(forged(key=OTHER_KEY)) == "token_bad_signature"


def test_the_signature_of_one_token_does_not_carry_another() -> None:
    header, _, signature = forged().split(".")
    admin = b64(json.dumps({**PAYLOAD, "sub": "agent-2"}))
    assert refusal(f"{header}.{admin}.{signature}") == "token_bad_signature"


@pytest.mark.parametrize("length", [1, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    assert refusal(f"{forged().rpartition('.')[0]}.{b64(bytes(length))}") == "token_bad_signature"


def test_the_unused_bits_of_the_last_character_give_no_second_signature() -> None:
    token = forged()
    others = [token[:-1] + last for last in ALPHABET if last != token[-1]]
    same_bytes = [t for t in others if ALPHABET.index(t[-1]) // 16 == ALPHABET.index(token[-1]) // 16]
    assert len(same_bytes) == 15
    assert {refusal(t) for t in same_bytes} == {"token_malformed"}
    assert {refusal(t) for t in others} == {"token_malformed", "token_bad_signature"}


def test_adding_the_group_order_to_a_signature_gives_no_second_one() -> None:
    signed, _, _ = forged().rpartition(".")
    true = KEY.private.sign(signed.encode())
    larger = int.from_bytes(true[32:], "little") + GROUP_ORDER
    assert refusal(f"{signed}.{b64(true[:32] + larger.to_bytes(32, 'little'))}") == "token_bad_signature"


def test_no_single_changed_character_is_accepted() -> None:
    token = forged()
    for index, character in enumerate(token):
        other = "A" if character != "A" else "B"
        assert refusal(token[:index] + other + token[index + 1 :]).startswith("token_")


# Header


@pytest.mark.parametrize(
    "kid",
    [
        "../../dev/null",
        "/etc/passwd",
        "x' UNION SELECT 'secret' --",
        KEY.kid + "\x00",
        "\x00",
        "http://127.0.0.1:1/key",
        "https://attacker.example/jwks.json",
        KEY.kid.lower(),
        "",
        OTHER_KEY.kid,
        "\ud800",
    ],
)
def test_a_key_id_is_only_ever_a_name_in_the_ring(kid: str) -> None:
    assert refusal(forged(header={**HEADER, "kid": kid})) == "token_unknown_key"


@pytest.mark.parametrize("kid", [None, 1, True, ["x"], {"kid": "x"}])
def test_a_key_id_that_is_no_text_is_refused(kid: object) -> None:
    assert refusal(forged(header={**HEADER, "kid": kid})) == "token_malformed"


def test_a_header_without_key_id_is_refused() -> None:
    assert refusal(forged(header=without(HEADER, "kid"))) == "token_malformed"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("jku", "http://127.0.0.1:1/jwks.json"),
        ("x5u", "http://127.0.0.1:1/cert.pem"),
        ("jwk", {"kty": "OKP", "crv": "Ed25519", "x": b64(PUBLIC.public_bytes_raw())}),
        ("x5c", ["MIIB"]),
        ("x5t", "abc"),
        ("crit", []),
        ("crit", ["b64"]),
        ("crit", ["exp"]),
        ("b64", False),
        ("zip", "DEF"),
        ("enc", "A256GCM"),
        ("cty", "JWT"),
        ("ALG", "EdDSA"),
        ("", ""),
    ],
)
def test_a_header_has_no_member_that_could_steer_the_check(member: str, value: object) -> None:
    assert refusal(forged(header={**HEADER, member: value})) == "token_malformed"


@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "user+jwt", "agent+JWT", "application/agent+jwt", "", None, 1])
def test_a_token_of_another_type_is_refused(typ: object) -> None:
    assert refusal(forged(header={**HEADER, "typ": typ})) == "token_wrong_type"


def test_a_token_without_type_is_refused() -> None:
    assert refusal(forged(header=without(HEADER, "typ"))) == "token_wrong_type"


def test_a_name_given_twice_in_the_header_is_refused() -> None:
    header = json.dumps(HEADER)[:-1] + ', "alg": "EdDSA"}'
    assert refusal(forged(header=header)) == "token_malformed"


@pytest.mark.parametrize("header", ["", "[]", "null", '"EdDSA"', "{", b"\xff\xfe{\x00}\x00", b'{"alg":"\xff"}'])
def test_a_header_that_is_no_json_object_is_refused(header: str | bytes) -> None:
    assert refusal(forged(header=header)) == "token_malformed"


def test_a_header_in_another_encoding_than_utf8_is_refused() -> None:
    assert refusal(forged(header=json.dumps(HEADER).encode("utf-16"))) == "token_malformed"


def test_a_header_nested_beyond_reading_is_refused() -> None:
    assert refusal(forged(header='{"kid":' + "[" * 2000)) == "token_malformed"


# Spelling


def respelled(change: Callable[[str], str], part: int) -> str:
    parts = forged().split(".")
    parts[part] = change(parts[part])
    return ".".join(parts)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "=",
        lambda text: text + "==",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text[:4] + "\r\n" + text[4:],
        lambda text: text[:4] + "\t" + text[4:],
        lambda text: text[:4] + "%" + text[4:],
        lambda text: text[:4] + "+" + text[5:],
        lambda text: text[:4] + "/" + text[5:],
        lambda text: text[:4] + "\x00" + text[4:],
        lambda text: text[:4] + "é" + text[5:],
        lambda text: text + "A" * (5 - len(text) % 4),
    ],
    ids=["pad1", "pad2", "newline", "space", "crlf", "tab", "percent", "plus", "slash", "nul", "accent", "rest1"],
)
def test_every_other_spelling_of_base64_is_refused(change: Callable[[str], str]) -> None:
    assert {refusal(respelled(change, part)) for part in (0, 1, 2)} == {"token_malformed"}


def test_an_encrypted_token_is_refused() -> None:
    header = b64('{"alg":"dir","enc":"A256GCM"}')
    assert refusal(f"{header}..{b64(bytes(12))}.{b64(bytes(40))}.{b64(bytes(16))}") == "token_malformed"


@pytest.mark.parametrize("token", [".", "..", "...", "a", "a.b", "Bearer " + forged(), forged() + ".", "." + forged()])
def test_what_has_not_the_three_parts_of_a_token_is_refused(token: str) -> None:
    assert refusal(token) == "token_malformed"


@pytest.mark.parametrize("token", ["", b""])
def test_an_empty_token_is_a_missing_one(token: str | bytes) -> None:
    assert refusal(token) == "token_missing"


def test_a_token_of_a_megabyte_is_refused_unread() -> None:
    assert refusal("a" * 1_000_000) == "token_too_long"
    assert refusal(b"." * 1_000_000) == "token_too_long"


def test_the_length_limit_is_met_exactly() -> None:
    assert refusal("a" * 4096) == "token_malformed"
    assert refusal("a" * 4097) == "token_too_long"


def test_a_signed_token_beyond_the_limit_is_refused_too() -> None:
    assert refusal(forged(payload={**PAYLOAD, "padding": "x" * 4000})) == "token_too_long"


# Claims


@pytest.mark.parametrize("claim", sorted(PAYLOAD))
def test_every_claim_is_needed(claim: str) -> None:
    assert refusal(forged(payload=without(PAYLOAD, claim))) == "token_claims_invalid"


@pytest.mark.parametrize("value", [None, True, 1.5, [], ["atlas-router"], {}, -1, 10**17])
def test_no_claim_takes_a_value_of_another_type(value: object) -> None:
    refusals = {claim: refusal(forged(payload={**PAYLOAD, claim: value})) for claim in PAYLOAD}
    assert refusals == dict.fromkeys(PAYLOAD, "token_claims_invalid")


@pytest.mark.parametrize("number", ["1e9", "1800000000.0", "NaN", "Infinity", "-Infinity", '"1800003600"', "1" * 500])
def test_times_are_whole_numbers(number: str) -> None:
    for claim in ("iat", "nbf", "exp"):
        payload = json.dumps({**PAYLOAD, claim: 0}).replace(f'"{claim}": 0', f'"{claim}": {number}')
        assert refusal(forged(payload=payload)) == "token_claims_invalid"


@pytest.mark.parametrize("value", ["", "a" * 129, "a\x00", "a b", "../a", "a\n", "é", "a'--", "\ud800", "*", ">"])
def test_ids_are_bounded_and_plain(value: str) -> None:
    assert refusal(forged(payload={**PAYLOAD, "sub": value})) == "token_claims_invalid"
    assert refusal(forged(payload={**PAYLOAD, "jti": value})) == "token_claims_invalid"


@pytest.mark.parametrize("value", ["", "a" * 201, "a\x00", "a\nb", "\x1b[31m", "\ud800", "a\u2028b"])
def test_names_are_bounded_and_printable(value: str) -> None:
    assert refusal(forged(payload={**PAYLOAD, "name": value})) == "token_claims_invalid"


@pytest.mark.parametrize("scope", ["*", "agent:connect tasks:write", "users:admin", "agent:", "AGENT:CONNECT"])
def test_an_agent_token_holds_no_other_scopes(scope: str) -> None:
    assert refusal(forged(payload={**PAYLOAD, "scope": scope})) == "token_claims_invalid"


def test_a_claim_given_twice_is_refused() -> None:
    payload = json.dumps(PAYLOAD)[:-1] + ', "sub": "agent-2"}'
    assert refusal(forged(payload=payload)) == "token_claims_invalid"


@pytest.mark.parametrize("payload", ["", "[]", "null", "{", b"\xff", '{"a":' + "[" * 2000])
def test_signed_content_that_is_no_json_object_is_refused(payload: str | bytes) -> None:
    assert refusal(forged(payload=payload)) == "token_claims_invalid"


@pytest.mark.parametrize("issuer", ["atlas:n2", "n1", "atlas:", "atlas:n1 ", "ATLAS:n1", "https://atlas:n1"])
def test_a_token_of_another_network_is_refused(issuer: str) -> None:
    assert refusal(forged(payload={**PAYLOAD, "iss": issuer})) == "token_wrong_issuer"


def test_a_network_id_that_is_the_beginning_of_ours_is_another_network() -> None:
    assert refusal(forged(), network="n10") == "token_wrong_issuer"


@pytest.mark.parametrize("audience", ["atlas-platform", "", "Atlas-Router", "atlas-router,other"])
def test_a_token_for_another_audience_is_refused(audience: str) -> None:
    assert refusal(forged(payload={**PAYLOAD, "aud": audience})) == "token_wrong_audience"


# Time


def test_expiry_has_no_leeway() -> None:
    token = forged(payload={**PAYLOAD, "exp": NOW})
    assert verify(token, RING.verification, network=NETWORK, now=NOW - 0.001).exp == NOW
    assert refusal(token, now=NOW) == "token_expired"
    assert refusal(token, now=NOW + 1) == "token_expired"


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_the_beginning_has_a_leeway_of_a_minute(claim: str) -> None:
    assert verify(forged(payload={**PAYLOAD, claim: NOW + 60}), RING.verification, network=NETWORK, now=NOW)
    assert refusal(forged(payload={**PAYLOAD, claim: NOW + 61})) == "token_not_yet_valid"
    assert refusal(forged(payload={**PAYLOAD, claim: NOW + 120})) == "token_not_yet_valid"


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_that_ends_before_it_begins_is_refused(claim: str) -> None:
    assert refusal(forged(payload={**PAYLOAD, claim: NOW + 3600})) == "token_claims_invalid"


# Keys over time


def test_after_a_rotation_both_keys_verify_until_the_older_retires() -> None:
    before = mint(RING, CLAIMS)
    rotated = RING.rotate(OTHER_KEY, NOW, overlap=100)
    after = mint(rotated, CLAIMS)
    assert before != after
    for token in (before, after):
        assert verify(token, rotated.verification, network=NETWORK, now=NOW + 99) == CLAIMS
    assert verify(after, rotated.verification, network=NETWORK, now=NOW + 100) == CLAIMS
    with pytest.raises(auth.TokenRefused, match="does not know"):
        verify(before, rotated.verification, network=NETWORK, now=NOW + 100)


def test_a_router_verifies_from_the_published_keys_alone() -> None:
    rotated = RING.rotate(OTHER_KEY, NOW, overlap=100)
    published = json.loads(json.dumps({"keys": auth.jwks(rotated, NOW)}))
    keys = auth.load_jwks(published)
    assert verify(mint(RING, CLAIMS), keys, network=NETWORK, now=NOW) == CLAIMS
    assert verify(mint(rotated, CLAIMS), keys, network=NETWORK, now=NOW) == CLAIMS
    with pytest.raises(auth.TokenRefused, match="does not know"):
        verify(mint(RING, CLAIMS), keys, network=NETWORK, now=NOW + 100)


def test_a_key_of_another_network_is_unknown() -> None:
    with pytest.raises(auth.TokenRefused, match="does not know"):
        verify(mint(KeyRing(OTHER_KEY), CLAIMS), RING.verification, network=NETWORK, now=NOW)


# Whatever comes


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.text(), st.binary(), st.text(ALPHABET + "."), st.from_regex(r"\A(e30|e[\w-]*)\.[\w-]*\.[\w-]*\Z")))
def test_any_text_and_any_bytes_are_only_ever_refused(token: str | bytes) -> None:
    assert refusal(token).startswith("token_")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=40, deadline=None)
@given(
    part=st.sampled_from(["header", "payload"]),
    changes=st.dictionaries(st.sampled_from([*PAYLOAD, *HEADER]), JSON, max_size=3),
)
def test_any_signed_json_is_verified_or_refused(part: str, changes: dict[str, object]) -> None:
    token = forged(header={**HEADER, **changes}) if part == "header" else forged(payload={**PAYLOAD, **changes})
    try:
        claims = verify(token, RING.verification, network=NETWORK, now=NOW)
    except TokenRefused as refused:
        assert token not in str(refused)
    else:
        assert claims.network == NETWORK
        assert claims.exp > NOW
