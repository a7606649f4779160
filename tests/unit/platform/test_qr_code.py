"""A QR code is drawn as it is made: what is dark in it is dark, and nothing else."""

from __future__ import annotations

import re

import segno

from agentic_atlas.platform.qr_code import qr_code

TEXT = "otpauth://totp/Agentic%20Atlas:ada%40atlas?secret=ABCDEFGHIJKLMNOP&issuer=Agentic%20Atlas"


def test_what_is_drawn_is_the_code() -> None:
    made = qr_code(TEXT)
    matrix = segno.make(TEXT, micro=False).matrix
    runs = re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", made.path)
    dark = {(int(x) + place, int(y)) for x, y, length, _ in runs for place in range(int(length))}
    assert dark == {(x + 4, y + 4) for y, row in enumerate(matrix) for x, module in enumerate(row) if module}
    assert made.size == len(matrix) + 8
    assert re.sub(r"M\d+ \d+h\d+v1h-\d+z", "", made.path) == ""


def test_its_text_form_has_no_secret() -> None:
    assert "M4" not in repr(qr_code(TEXT))
