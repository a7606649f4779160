"""QR codes as a template draws them: of numbers alone, for no markup of others is put in as it is. Pure."""

from itertools import groupby
from operator import itemgetter

import msgspec
import segno

_QUIET = 4  # modules around it that stay light (ISO/IEC 18004 section 6.3.8)


class QrCode(msgspec.Struct, frozen=True):
    """A QR code to be drawn.

    Attributes:
        size: modules at a side, with the light ones around it.
        path: of an SVG image of that size, around all that is dark.
    """

    size: int
    path: str

    def __repr__(self) -> str:
        return f"QrCode(size={self.size})"


def qr_code(text: str) -> QrCode:
    """Return a text as a QR code."""
    matrix = segno.make(text, micro=False).matrix
    runs = [
        f"M{start + _QUIET} {y + _QUIET}h{length}v1h-{length}z"
        for y, row in enumerate(matrix)
        for start, length in _dark(row)
    ]
    return QrCode(len(matrix) + 2 * _QUIET, "".join(runs))


def _dark(row: bytes | bytearray) -> list[tuple[int, int]]:
    """Return where dark modules begin in a row, and how many there are."""
    runs = [list(run) for _, run in groupby(enumerate(row), key=itemgetter(1))]
    return [(run[0][0], len(run)) for run in runs if run[0][1]]
