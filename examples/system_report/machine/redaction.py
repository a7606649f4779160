"""Command lines without their secrets.

What is known to be one goes (values after `--password`, `token=`, credentials in URLs), and what looks like one:
tokens, keys, long random texts. In doubt it goes: a command line that says too little is read elsewhere, one that says
too much cannot be taken back. It is a net and no proof: a secret that looks like a word, in a place like any other,
passes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

HIDDEN: Final = "[hidden]"
_LONGEST: Final = 4_096
"""Characters of a command line that are looked at; the rest is left out."""

_WORD: Final = (
    r"(?:pass|pwd|secret|token(?!i)|api[-_.]?key|(?:access|private|encryption|signing|account|master)[-_.]?key|"
    r"credential|auth(?!or)|bearer|cookie|jwt|dsn|connection[-_]?string|signature|salt|\b(?:key|pin|otp|sig)\b)"
)
# Bounded, so that no text takes long to look at.
_NAME: Final = rf"[\w.-]{{0,40}}{_WORD}[\w.-]{{0,40}}"
_VALUE: Final = r"(\"[^\"]*\"?|'[^']*'?|[^\s\"'&;,]+)"

_OPTION: Final = re.compile(rf"(?i)--?{_NAME}")
"""An option whose value is the next argument."""
_WHOLE: Final = re.compile(rf"(?is)(-{{0,2}}{_NAME}\s*[=:]).+")
"""An argument that is `--password=…` or `TOKEN=…` as a whole, whatever its value holds."""
_INSIDE: Final = (
    re.compile(r"(?i)((?:authorization|cookie)[\"']?\s*[=:]\s*).+"),
    re.compile(rf"(?i)\b((?:bearer|basic|digest)\s+){_VALUE}"),
    re.compile(rf"(?i)(--?{_NAME}\s+){_VALUE}"),
    re.compile(rf"(?i)({_NAME}[\"']?\s*[=:]\s*){_VALUE}"),
)
"""The same within a text that holds a whole command, a header or JSON."""
_USER_INFO: Final = re.compile(r"(?i)(\b\w[\w+.-]{0,20}://)[^\s\"']*@")
_FORMS: Final = (
    re.compile(r"eyJ[\w-]{4,}(?:\.[\w-]*)+"),  # JSON Web Token
    re.compile(r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),  # UUID
    re.compile(r"\b(?:sk|pk|rk|gh[a-z]|github_pat|glpat|xox[a-z]|npm|hf|AKIA|ASIA|AIza)[-_]?[\w-]{12,}"),
)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{24,}")
_PIECE: Final = re.compile(r"[\w+=~$%*!-]{16,}")
_RUN: Final = re.compile(r"[A-Za-z0-9]{16,}")

# Short options that mean a password to one program and something else to all others.
_SHORT: Final = {
    "mysql": "-p", "mysqldump": "-p", "mysqladmin": "-p", "mariadb": "-p", "mariadb-dump": "-p", "sshpass": "-p",
    "redis-cli": "-a", "curl": "-u", "ldapsearch": "-w", "ldapmodify": "-w", "mongo": "-p", "mongosh": "-p",
    "smbclient": "-U", "zip": "-P", "unzip": "-P", "7z": "-p", "docker": "-p", "podman": "-p", "sqlcmd": "-P",
    "xfreerdp": "/p:",
}  # fmt: skip


def redacted(arguments: Sequence[str], longest: int) -> str:
    """The arguments as one line of at most `longest` characters, with what is or may be a secret replaced."""
    short = _SHORT.get(PurePath(arguments[0]).name, "") if arguments else ""
    shown: list[str] = []
    hide = False
    left = _LONGEST
    for place, argument in enumerate(arguments):
        if left <= 0:
            break
        text = argument[:left]
        left -= len(text)
        option = short if place else ""
        shown.append(HIDDEN if hide else _argument(text, option))
        hide = bool(_OPTION.fullmatch(text)) or bool(option and text == option)
    printable = "".join(character if character.isprintable() else " " for character in " ".join(shown))
    line = " ".join(printable.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _argument(text: str, short: str) -> str:
    if short and text.startswith(short) and text != short:
        return short + HIDDEN
    whole = _WHOLE.fullmatch(text)
    if whole:
        return whole[1] + HIDDEN
    text = _USER_INFO.sub(rf"\1{HIDDEN}@", text)
    for pattern in _INSIDE:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    for pattern in _FORMS:
        text = pattern.sub(HIDDEN, text)
    text = _BASE64.sub(lambda found: HIDDEN if _both_cases(found[0]) else found[0], text)
    return _PIECE.sub(lambda found: HIDDEN if _looks_random(found[0]) else found[0], text)


def _looks_random(text: str) -> bool:
    """Whether a text without spaces, slashes and dots is more likely a key than a word."""
    if any(not run.isalpha() or (len(run) >= 20 and _both_cases(run)) for run in _RUN.findall(text)):
        return True
    kinds = (str.isdigit, str.isupper, str.islower)
    return len(text) >= 24 and all(sum(map(kind, text)) >= 2 for kind in kinds)


def _both_cases(text: str) -> bool:
    """Whether there are so many letters of both cases as in no name and in no path."""
    return all(sum(map(kind, text)) >= len(text) / 4 for kind in (str.isupper, str.islower))
