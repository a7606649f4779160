"""What is asked of a worker process and what it answers, as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tables.errors import BY_CODE, Unreadable
from tables.limits import Limits
from tables.table import Answer, Column, Described, Import, Part


@dataclass(frozen=True, slots=True)
class Convert:
    """Make tables of one file; answered by an Import."""

    file: Path
    kind: str
    target: Path


@dataclass(frozen=True, slots=True)
class Ask:
    """Run SQL over these Parquet files by the names of their views; answered by an Answer."""

    views: dict[str, Path]
    sql: str
    limit: int


@dataclass(frozen=True, slots=True)
class Describe:
    """Describe the columns of one Parquet file; answered by a list of Described."""

    file: Path


Job: TypeAlias = Convert | Ask | Describe
_JOBS: dict[str, type[Job]] = {kind.__name__: kind for kind in (Convert, Ask, Describe)}


def write_job(job: Job, limits: Limits) -> bytes:
    """The line that asks for a job."""
    return _line({"job": type(job).__name__, "given": asdict(job), "limits": asdict(limits)})


def read_job(line: bytes) -> tuple[Job, Limits]:
    """What a line asks for."""
    read = json.loads(line)
    given: dict[str, Any] = read["given"]
    for name in ("file", "target"):
        if name in given:
            given[name] = Path(given[name])
    if "views" in given:
        given["views"] = {name: Path(path) for name, path in given["views"].items()}
    return _JOBS[read["job"]](**given), Limits(**read["limits"])


def write_result(result: Import | Answer | list[Described]) -> bytes:
    """The line that holds what came of a job."""
    whole = [asdict(item) for item in result] if isinstance(result, list) else asdict(result)
    return _line({"result": whole})


def write_error(code: str, message: str, *, passing: bool = False) -> bytes:
    """The line that says why nothing came of a job; `code` is `unreadable` or that of a QueryFailed."""
    return _line({"error": code, "message": message, "passing": passing})


def read_import(line: bytes) -> Import:
    """The answer to Convert. Raises Unreadable."""
    return import_of(_result(line))


def read_answer(line: bytes) -> Answer:
    """The answer to Ask. Raises QueryFailed."""
    read = _result(line)
    return Answer(**{**read, "columns": [Column(**column) for column in read["columns"]]})


def read_described(line: bytes) -> list[Described]:
    """The answer to Describe. Raises QueryFailed."""
    return [Described(**column) for column in _result(line)]


def import_of(read: dict[str, Any]) -> Import:
    """An Import from its JSON, as `asdict` made it."""
    parts = tuple(
        Part(
            **{**part, "columns": tuple(Column(**column) for column in part["columns"]), "notes": tuple(part["notes"])}
        )
        for part in read["parts"]
    )
    return Import(parts, read["reason"], tuple((sheet, reason) for sheet, reason in read["skipped"]))


def _result(line: bytes) -> Any:
    read = json.loads(line)
    if "error" not in read:
        return read["result"]
    if read["error"] == "unreadable":
        raise Unreadable(read["message"], passing=read["passing"])
    raise BY_CODE[read["error"]](read["message"])


def _line(value: object) -> bytes:
    return json.dumps(value, default=str).encode() + b"\n"
