# SPDX-License-Identifier: GPL-2.0
"""How Sphinx makes HTML of this folder, see "make htmldocs"."""
import re
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

top = Path(__file__).resolve().parent.parent

project = "kvm-pvx"
author = "The kvm-pvx authors"
version = release = re.search(r'^PACKAGE_VERSION="(.*)"', (top / "dkms.conf").read_text(),
                              re.MULTILINE).group(1)

# Blocks are shell sessions, messages and tables: text.
highlight_language = "none"
# Dashes and quotes are what one types.
smartquotes = False

html_theme = "alabaster"
html_theme_options = {
    "description": "KVM hosts and their guests, working together",
    "fixed_sidebar": True,
    "page_width": "1100px",
}
html_copy_source = False
html_show_copyright = False

# Where nothing is a link, or is one already.
NO_LINKS = (nodes.FixedTextElement, nodes.literal, nodes.reference)
# How pages name each other: by where they are in the sources, so that they also read well there.
PAGE = re.compile(r"\bDocumentation/(?:([a-z]+)\.rst|ABI/testing/debugfs-pvx)")


def linked(app, docname, text):
    """The text's parts, pages that it names as links."""
    at = 0
    for match in PAGE.finditer(text):
        page = match.group(1) or "abi"
        if page not in app.env.all_docs:
            logging.getLogger(__name__).warning("there is no %s", match.group(0), location=docname)
            continue
        yield nodes.Text(text[at:match.start()])
        yield nodes.reference("", "", nodes.Text(match.group(0)), internal=True,
                              refuri=app.builder.get_relative_uri(docname, page))
        at = match.end()
    yield nodes.Text(text[at:])


def link_pages(app, doctree, docname):
    """Makes links of the pages that are named in a page's running text."""
    for text in list(doctree.findall(nodes.Text)):
        if PAGE.search(text) and not isinstance(text.parent, NO_LINKS):
            text.parent.replace(text, list(linked(app, docname, text.astext())))


def setup(app):
    """What Sphinx calls."""
    app.connect("doctree-resolved", link_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
