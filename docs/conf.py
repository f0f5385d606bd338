"""Sphinx settings: builds offline, formulas as MathML, no request from any page."""

from __future__ import annotations

import sys
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "analysis"))

from event_impact import __version__  # noqa: E402

project, author, version, release = "event-impact", "The event-impact project", __version__, __version__
copyright = "2026, the event-impact project"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "pydata_sphinx_theme"
html_title = "event-impact"
html_static_path: list[str] = []
html_theme_options = {
    "show_toc_level": 2, "navbar_center": [], "navbar_end": ["theme-switcher"], "secondary_sidebar_items": ["page-toc"],
}  # fmt: skip
html_sidebars = {"index": [], "**": ["globaltoc.html"]}
html_show_sourcelink = False
html_extra_path = ["llms.txt", "../reports/example"]
html_math_renderer = "mathml"
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
exclude_patterns = ["_build"]
nitpicky = False


def write_inline(self: HTML5Translator, node: nodes.math) -> None:
    """A formula in a line."""
    self.body.append(convert(node.astext(), display="inline"))
    raise nodes.SkipNode


def write_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula of its own."""
    self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Formulas become MathML while the pages are built: no script, no font from elsewhere."""
    app.add_html_math_renderer("mathml", (write_inline, None), (write_block, None))
    return {"parallel_read_safe": True}
