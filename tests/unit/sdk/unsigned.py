"""Tokens as an agent reads them, who does not look at the signature."""

import base64
import json


def token(jti: str, exp: int = 5_000, lineage: str = "") -> str:
    said = {"jti": jti, "exp": exp, "lineage": lineage}
    payload = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    return f"head.{payload}.signature"
