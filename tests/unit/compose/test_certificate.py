"""A certificate is read whole or not at all, and again when its files change."""

from __future__ import annotations

import datetime
import os
import shutil
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from agentic_atlas.compose.certificate import Certificate
from agentic_atlas.errors import ConfigurationError
from tests.certificates import certificate


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path)


def test_its_names_and_end_are_known(files: tuple[Path, Path]) -> None:
    one = Certificate(*files)
    assert one.names == ("localhost",)
    left = one.expires_at - datetime.datetime.now(datetime.UTC).timestamp()
    assert 0 < left <= 86_400


def test_it_is_read_again_only_when_a_file_has_changed(files: tuple[Path, Path], tmp_path: Path) -> None:
    one = Certificate(*files)
    assert not one.look()
    newer = tmp_path / "newer"
    newer.mkdir()
    for old, new in zip(files, certificate(newer), strict=True):
        new.replace(old)
    assert one.look()
    assert not one.look()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda cert, key: key.write_text("no key"), "no unencrypted private key"),
        (lambda cert, key: cert.write_text("none"), "no certificate in PEM"),
        (lambda cert, key: cert.unlink(), "No such file"),
        (lambda cert, key: shutil.copy(_another(key.parent), key), "the key of another certificate"),
    ],
    ids=["no key", "no certificate", "no file", "another's key"],
)
def test_what_does_not_fit_is_told_with_its_file_and_leaves_the_old_one(
    files: tuple[Path, Path], spoil: object, why: str
) -> None:
    one = Certificate(*files)
    before = one.names, one.expires_at
    assert callable(spoil)
    spoil(*files)
    for path in files:
        if path.exists():
            os.utime(path, ns=(1, 1))
    with pytest.raises(ConfigurationError, match=why) as refused:
        one.look()
    assert refused.value.code == "bad_certificate"
    assert any(str(path) in refused.value.message for path in files)
    assert "--tls-cert" in refused.value.message
    assert (one.names, one.expires_at) == before
    with pytest.raises(ConfigurationError, match=why):
        Certificate(*files)


def test_its_end_is_told_in_time_once_a_day(files: tuple[Path, Path]) -> None:
    said = LogCapture()
    log = structlog.wrap_logger(None, processors=[said], wrapper_class=structlog.make_filtering_bound_logger(0))
    one = Certificate(*files)
    for hours in (0, 1, 25):
        one._see(one.expires_at - 80_000 + hours * 3_600, log)
    assert [entry["event"] for entry in said.entries] == ["certificate_expires"] * 2


def _another(folder: Path) -> Path:
    other = folder / "other"
    other.mkdir()
    return certificate(other)[1]
