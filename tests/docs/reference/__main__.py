"""Rewrite what is made from the code in the documentation: `python -m tests.docs.reference`."""

from tests.docs.pages import ROOT, pages
from tests.docs.reference.parts import renewed

for page in pages():
    old = page.read_text()
    new = renewed(old)
    if new != old:
        page.write_text(new)
        print(page.relative_to(ROOT))
