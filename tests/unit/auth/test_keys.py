import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas.auth import KeyRefused, KeyRing, SigningKey, base64url, jwks, load_jwks
from agentic_atlas.auth.keys import MAX_KEYS, Jwk, thumbprint
from tests.unit.auth.forge import KEY, NOW, OTHER_KEY, RING


def key_number(number: int) -> SigningKey:
    return SigningKey(Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big")), NOW)


def published(**changes: object) -> dict[str, object]:
    """A key set of one key, some of its members changed; a member changed to `...` is left out."""
    (jwk,) = jwks(RING, NOW)
    return {"keys": [{name: value for name, value in {**jwk, **changes}.items() if value is not ...}]}


# Keys


def test_the_key_id_is_the_thumbprint_of_rfc_8037() -> None:
    public = Ed25519PublicKey.from_public_bytes(base64url.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_private_key_survives_pem() -> None:
    again = SigningKey.from_pem(KEY.to_pem(), KEY.created_at)
    assert again == KEY
    assert again.private.sign(b"x") == KEY.private.sign(b"x")


def test_a_private_key_is_not_shown() -> None:
    raw = KEY.private.private_bytes_raw()
    assert raw.hex() not in repr(KEY)
    assert repr(KEY) == f"SigningKey(created_at={KEY.created_at}, kid={KEY.kid!r})"


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"nonsense",
        KEY.to_pem()[:-40],
        b"x" * 5000,
        KEY.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")),
        generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
    ids=["empty", "nonsense", "cut", "long", "encrypted", "other curve"],
)
def test_a_pem_that_is_no_plain_ed25519_key_is_refused(pem: bytes) -> None:
    with pytest.raises(KeyRefused):
        SigningKey.from_pem(pem, NOW)


# Ring


def test_no_key_id_looks_like_an_option_of_a_command() -> None:
    some = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(256)]
    like = next(one for one in some if SigningKey(one, 0).kid.startswith("-"))
    other = next(one for one in some if not SigningKey(one, 0).kid.startswith("-"))
    drawn = iter([like, other])
    assert SigningKey.generate(0, lambda: next(drawn)).private is other


def test_a_ring_knows_only_its_own_keys() -> None:
    assert RING.verification[KEY.kid].public == KEY.private.public_key()
    assert list(RING.verification) == [KEY.kid]


def test_rotation_leaves_the_old_ring_as_it_was() -> None:
    rotated = RING.rotate(OTHER_KEY, NOW, overlap=10)
    assert rotated.active == OTHER_KEY
    assert RING.active == KEY
    assert [key.kid for key in rotated.retired] == [KEY.kid]


def test_a_retired_key_verifies_only_until_its_retire_time() -> None:
    rotated = RING.rotate(OTHER_KEY, NOW + 0.9, overlap=10)
    assert rotated.verification[KEY.kid].usable(NOW + 9.999)
    assert not rotated.verification[KEY.kid].usable(NOW + 10)
    assert rotated.verification[OTHER_KEY.kid].usable(NOW + 10**9)


def test_rotation_without_overlap_forgets_the_old_key_at_once() -> None:
    assert RING.rotate(OTHER_KEY, NOW, overlap=0) == KeyRing(OTHER_KEY)


def test_keys_whose_time_is_over_leave_the_ring_at_the_next_rotation() -> None:
    ring = RING.rotate(key_number(1), NOW, overlap=10).rotate(key_number(2), NOW + 10, overlap=10)
    assert [key.kid for key in ring.retired] == [key_number(1).kid]


def test_a_later_rotation_does_not_lengthen_the_life_of_an_older_key() -> None:
    ring = RING.rotate(key_number(1), NOW, overlap=10).rotate(key_number(2), NOW + 5, overlap=1000)
    assert not ring.verification[KEY.kid].usable(NOW + 10)


def test_rotating_to_a_key_that_was_there_before_is_refused() -> None:
    with pytest.raises(KeyRefused):
        RING.rotate(KEY, NOW, overlap=10)
    with pytest.raises(KeyRefused):
        RING.rotate(OTHER_KEY, NOW, overlap=10).rotate(KEY, NOW, overlap=10)


def test_a_retired_key_without_a_retire_time_is_refused() -> None:
    with pytest.raises(KeyRefused):
        KeyRing(KEY, (OTHER_KEY.verification(),))


def test_a_ring_is_bounded() -> None:
    retired = tuple(key_number(number).verification(NOW + 10) for number in range(1, MAX_KEYS))
    full = KeyRing(KEY, retired)
    with pytest.raises(KeyRefused):
        full.rotate(OTHER_KEY, NOW, overlap=10)


# Key sets


def test_the_published_document_has_the_members_of_rfc_8037_and_nothing_private() -> None:
    assert jwks(RING, NOW) == [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "use": "sig",
            "kid": KEY.kid,
            "x": base64url.encode(KEY.private.public_key().public_bytes_raw()),
            "iat": KEY.created_at,
        }
    ]
    assert "d" not in Jwk.__annotations__


def test_a_key_is_published_until_it_retires() -> None:
    rotated = RING.rotate(OTHER_KEY, NOW, overlap=10)
    assert [key["kid"] for key in jwks(rotated, NOW + 9)] == [OTHER_KEY.kid, KEY.kid]
    assert [key["kid"] for key in jwks(rotated, NOW + 10)] == [OTHER_KEY.kid]


def test_a_key_set_survives_publication() -> None:
    rotated = RING.rotate(OTHER_KEY, NOW, overlap=10)
    assert load_jwks(json.loads(json.dumps({"keys": jwks(rotated, NOW)}))) == rotated.verification


def test_a_key_set_read_long_ago_still_ends_a_retired_key() -> None:
    keys = load_jwks({"keys": jwks(RING.rotate(OTHER_KEY, NOW, overlap=10), NOW)})
    assert keys[KEY.kid].usable(NOW + 9)
    assert not keys[KEY.kid].usable(NOW + 10)


def test_keys_of_other_kinds_are_passed_over() -> None:
    document = published()
    document["keys"] = [{"kty": "RSA", "n": "x"}, "nonsense", *document["keys"], {"kty": "OKP", "crv": "X25519"}]
    assert list(load_jwks(document)) == [KEY.kid]


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "keys",
        {},
        {"keys": {}},
        {"keys": []},
        {"keys": [None]},
        {"keys": [{"kty": "RSA"}]},
        {"keys": published()["keys"] * 2},
        {"keys": [{}] * (MAX_KEYS + 1)},
        published(kid=OTHER_KEY.kid),
        published(kid=...),
        published(x=...),
        published(x=""),
        published(x="AAAA"),
        published(x=published()["keys"][0]["x"] + "="),
        published(x=7),
        published(kty="oct"),
        published(alg="HS256"),
        published(alg=...),
        published(use="enc"),
        published(iat=...),
        published(iat=True),
        published(iat=-1),
        published(exp=None),
        published(exp="never"),
        published(exp=1.5),
        published(d="secret"),
    ],
)
def test_a_document_that_is_not_what_jwks_writes_is_refused(document: object) -> None:
    with pytest.raises(KeyRefused) as caught:
        load_jwks(document)
    assert "secret" not in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just("Ed25519"),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["keys", "crv", "kty", "x", "kid", "exp"]), inner, max_size=3)
        ),
    )
)
def test_no_document_breaks_the_reading(document: object) -> None:
    try:
        keys = load_jwks(document)
    except KeyRefused:
        return
    assert isinstance(keys, dict)


def test_a_key_with_another_retire_time_is_another_value() -> None:
    key = KEY.verification(NOW)
    assert replace(key, retire_at=NOW + 1) != key
    assert replace(key) == key
