"""Have the built documentation draw its diagrams by itself: a hook of MkDocs that puts Mermaid into the site.

The theme would load Mermaid from another host, unless the page has loaded it already. So each page with a diagram loads
it from the site. It is fetched once, by npm, and is what `mermaid.lock` says or nothing; no copy of it is committed.
"""

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # MkDocs loads this file alone

import npm  # noqa: E402

LOCK = HERE / "mermaid.lock"
KEPT = HERE.parent / "build"
IN_PACKAGE = "dist/mermaid.min.js"
IN_SITE = "assets/mermaid.min.js"


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
    package = LOCK.read_text().split()[0]
    kept = KEPT / f"{package}.min.js"
    if not kept.exists():
        try:
            (content,) = npm.files(LOCK, [IN_PACKAGE])
        except npm.Unfetched as error:
            raise PluginError(f"the diagrams can't be drawn: {error}") from None
        KEPT.mkdir(exist_ok=True)
        draft = kept.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(kept)
    return kept
