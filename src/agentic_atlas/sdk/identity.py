"""Who this process is, as `hello` tells it."""

import hashlib
import inspect
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from agentic_atlas._version import __version__
from agentic_atlas.protocol.messages import InstanceInfo
from agentic_atlas.sdk.skills.skill import Skill

_LINE = 1_024


def instance(new_id: str, skills: Iterable[Skill]) -> InstanceInfo:
    """Return this process with its machine, versions and the digest of the code that its skills are in."""
    return InstanceInfo(
        id=new_id,
        # Some machines are called by what no protocol takes for a name.
        host="".join(letter for letter in platform.node() if letter.isprintable())[:_LINE],
        pid=os.getpid(),
        sdk=f"agentic-atlas/{__version__}",
        runtime=f"{platform.python_implementation()} {platform.python_version()} {platform.system().lower()}",
        code_hash=code_hash(skills),
    )


def code_hash(skills: Iterable[Skill]) -> str:
    """Return a digest of the source files of the skills: equal for equal code, wherever it lies.

    What those files import is not in it. Without readable files (a frozen program) it is empty.
    """
    files = {inspect.unwrap(skill.function).__code__.co_filename for skill in skills}
    digests = []
    for file in files:
        try:
            digests.append(hashlib.sha256(Path(file).read_bytes()).digest())
        except OSError:
            continue
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()[:16] if digests else ""
