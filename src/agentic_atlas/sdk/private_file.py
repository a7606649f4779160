"""A file that its owner alone reads, written whole or not at all."""

import os
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Write the file, mode 0600: a reader sees the old content or the new one, never a part. A link is followed.

    Raises:
        OSError: it cannot be written.
    """
    import tempfile  # rarely needed, and long to load

    # What a link leads to is kept with other settings elsewhere: it is changed there, and stays a link here.
    target = Path(os.path.realpath(path))
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name.lstrip('.')}.")  # made with mode 0600
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # nobody has heard of the draft
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        # Also when somebody interrupts it: it may hold a secret.
        draft.unlink(missing_ok=True)
