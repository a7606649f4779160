import subprocess
import sys

from agentic_atlas import auth

PUBLIC = """
AGENT_SCOPES API_KEY_SCOPES AUDIENCE CLOCK_LEEWAY MAX_ID MAX_NAME MAX_TOKEN_BYTES AgentClaims Jwk
KeyRefused KeyRing Scope Seal SigningKey TokenRefused VerificationKey
allows audit_files covers digest format_scopes is_signed jwks key_id load_jwks load_or_create_audit_key
load_or_create_ring load_or_create_sealing_key mint new_secret parse_scopes
read_bearer read_head read_keys ring_files save_head save_ring verify
"""


def test_the_public_names_are_these_and_all_documented() -> None:
    assert sorted(auth.__all__) == sorted(PUBLIC.split())
    for name in auth.__all__:
        assert hasattr(auth, name)


def test_the_package_brings_no_event_loop_and_no_server_along() -> None:
    code = "import sys, agentic_atlas.auth; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    modules = set(loaded.stdout.split())
    ours = {name for name in modules if name.startswith("agentic_atlas.")}
    assert {name.split(".")[1] for name in ours} <= {"auth", "errors", "files", "_version"}
    assert not modules & {"asyncio", "msgspec", "httptools", "sqlalchemy", "httpx"}
