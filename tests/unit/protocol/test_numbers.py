from __future__ import annotations

import json
import random

import msgspec
import pytest

from agentic_atlas.protocol.numbers import MOST_DIGITS, numbers_fit

FIT = [
    "0",
    "1e308",
    "1E+308",
    "-1.7976931348623157e308",
    "0.1e309",
    "1e-999",
    "1e0000000001",
    "9" * 400,
    "9" * MOST_DIGITS,
    "-" + "9" * MOST_DIGITS,
    "0." + "9" * 5_000,
    "true",
    "1e99",
]
TOO_LARGE = [
    "1e309",
    "-1E+400",
    "1e00309",
    "9" * 400 + ".5",
    "9" * 300 + "e9",
    "1.8e308",
    "0.1e310",
    "-" + "9" * 220 + "E90",
    "9" * 4_301,
    "-1" + "0" * 5_000,
]


@pytest.mark.parametrize("number", FIT)
def test_a_number_that_a_reader_takes_fits(number: str) -> None:
    msgspec.json.decode(number)
    for text in (number, f'{{"a":[{number},"1e999"]}}', f'["x\\\\",{number}]', f'["\\"",{number}]'):
        assert numbers_fit(text.encode())


@pytest.mark.parametrize("number", TOO_LARGE)
def test_a_number_that_no_reader_takes_does_not_fit_wherever_it_stands(number: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(number)
    for text in (number, f'{{"a":[{number}]}}', f'["x\\\\",{number}]', f'["\\"",{number},"1"]', f"[ {number} ]"):
        assert not numbers_fit(text.encode())


@pytest.mark.parametrize("text", ["1e999", "x 1E+999 y", '"1e999', "\\1e999\\", "9" * 5_000, "é1e999"])
def test_what_is_in_a_string_is_no_number(text: str) -> None:
    for value in (text, [text], {text: [text, {"a": text}]}):
        assert numbers_fit(json.dumps(value).encode())
        assert numbers_fit(json.dumps(value, ensure_ascii=False).encode())


def test_it_agrees_with_a_reader_for_any_numbers() -> None:
    chance = random.Random(3)
    for _ in range(2_000):
        whole = "".join(chance.choice("0123456789") for _ in range(chance.choice([1, 3, 150, 310]))).lstrip("0") or "0"
        text = whole + chance.choice(["", ".5", "." + "1" * 250]) + chance.choice(["", "e7", "E+150", "e308", "e-400"])
        try:
            msgspec.json.decode(f"[{text}]")
            fits = True
        except msgspec.ValidationError:
            fits = False
        assert numbers_fit(f'["{text}",{text}]'.encode()) == fits, text
