"""From an executed notebook to its report and its appendix, and the gates that a page must pass.

Cells tagged ``appendix`` stand in the appendix, all others in the report; each is self-contained and linked to the
other. A page makes no request and needs no script. Code is folded, formulas are MathML, exhibits are
numbered in the order in which they stand. Everything that may differ between two executions of the
same inputs stands in elements marked ``data-provenance``.
"""

import base64
import hashlib
import html
import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Literal

import jinja2
import mistune
import nbformat
from latex2mathml.converter import convert as convert_latex

from event_impact.base.errors import RenderError
from event_impact.page.first_screen import CHANGES, FIRST_SCREEN, SIBLINGS

TEMPLATES = Path(__file__).parent / "templates"
MAX_PAGE_BYTES = 1_500_000
MAX_REPORT_BYTES = 400_000
APPENDIX_TAG = "appendix"
Part = Literal["whole", "report", "appendix"]
HEADING = re.compile(r"^## .*$", re.MULTILINE)
MATH = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$([^$\n]+?)\$(?!\w)", re.DOTALL)
#: Tag of the cell that is followed by what changed since the previous run.
CHANGES_TAG = "changes"


@dataclass(frozen=True)
class PageFacts:
    """What the frame of a page says besides the notebook itself.

    ``facts`` are name/value pairs of the masthead, of pages that do not open with a first screen; what ends in ``_html``
    are trusted fragments made by this package.
    """

    title: str
    kicker: str
    facts: tuple[tuple[str, str], ...]
    footer: str
    changed_html: str = ""
    provenance_html: str = ""
    failure_html: str = ""
    siblings_html: str = ""


class _HeadingRenderer(mistune.HTMLRenderer):
    """Headings get anchors, and are remembered for the table of contents."""

    def __init__(self) -> None:
        super().__init__(escape=True)
        self.headings: list[tuple[int, str, str]] = []

    def heading(self, text: str, level: int, **attrs: object) -> str:
        plain = re.sub(r"<[^>]+>", "", text)
        anchor = re.sub(r"[^a-z0-9]+", "-", html.unescape(plain).lower()).strip("-") or "section"
        taken = [a for _, a, _ in self.headings]
        while anchor in taken:
            anchor += "-2"
        self.headings.append((level, anchor, html.unescape(plain)))
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'


class PageRenderer:
    """Turns cells into fragments; one renderer a page."""

    def __init__(self) -> None:
        self._renderer = _HeadingRenderer()
        self._markdown = mistune.create_markdown(renderer=self._renderer, plugins=["table"])

    @property
    def headings(self) -> list[tuple[str, str]]:
        """Anchors and texts of the second-level headings."""
        return [(anchor, text) for level, anchor, text in self._renderer.headings if level == 2]

    def markdown(self, source: str) -> str:
        """Prose with its formulas as MathML."""
        formulas: list[str] = []

        def keep(match: re.Match[str]) -> str:
            display = "block" if match.group(1) else "inline"
            formulas.append(convert_latex((match.group(1) or match.group(2)).strip(), display=display))
            return f"formula{len(formulas) - 1}placeholder"

        text = str(self._markdown(MATH.sub(keep, source)))
        return re.sub(r"formula(\d+)placeholder", lambda found: formulas[int(found[1])], text)

    def output(self, output: nbformat.NotebookNode) -> str:
        """One output: our own exhibits as HTML, everything else as text."""
        if output.output_type in ("display_data", "execute_result"):
            plain = f"<pre>{html.escape(str(output.data.get('text/plain', '')))}</pre>"
            return str(output.data.get("text/html", plain))
        return f"<pre>{html.escape(output.text)}</pre>" if output.get("name") == "stdout" else ""

    def code(self, notebook: nbformat.NotebookNode) -> str:
        """All code cells in one fold at the end: readers of the exhibits are not led past it at every step."""
        sources = [c.source.strip() for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
        text, told = html.escape("\n\n".join(sources)), "Code of this page, in the order in which it ran"
        return f'<details class="code"><summary>{told}</summary><pre>{text}</pre></details>' if sources else ""

    def report(self, notebook: nbformat.NotebookNode, facts: PageFacts, *, is_whole: bool) -> list[str]:
        """What stands in the report, in order; the title of the notebook gives way to the finding of a first screen.

        A page without an appendix is whole: it has every cell, how it was made, and its code.
        """
        parts = [facts.failure_html]
        has_screen = any(FIRST_SCREEN in self.output(o) for c in notebook.cells for o in c.get("outputs", ()))
        for cell in notebook.cells:
            if not is_whole and (_is_appendix(cell) or (has_screen and cell.source.startswith("# "))):
                continue
            parts += [self.markdown(cell.source)] if cell.cell_type == "markdown" else []
            parts += [self.output(output) for output in cell.get("outputs", ())]
            if not has_screen and CHANGES_TAG in cell.metadata.get("tags", []):
                parts.append(facts.changed_html)
        if is_whole:
            parts += [facts.provenance_html, self.code(notebook)]
        text = "\n".join(filter(None, parts))
        return [text.replace(SIBLINGS, facts.siblings_html).replace(CHANGES, facts.changed_html)]

    def appendix(self, notebook: nbformat.NotebookNode, facts: PageFacts) -> list[str]:
        """All else, under the headings of the notebook, then how the page was made, and its code."""
        parts, heading = [f"<h1>{html.escape(facts.title)}: appendix</h1>"], ""
        for cell in notebook.cells:
            if cell.cell_type == "markdown" and not _is_appendix(cell):
                heading = [heading, *HEADING.findall(cell.source)][-1]
            elif _is_appendix(cell) and (cell.cell_type == "markdown" or cell.outputs):
                prose, heading = cell.source if cell.cell_type == "markdown" else heading, ""
                parts += [self.markdown(prose)] if prose else []
                parts += [self.output(output) for output in cell.get("outputs", ())]
        return [*parts, facts.provenance_html, self.code(notebook)]


def _is_appendix(cell: nbformat.NotebookNode) -> bool:
    return APPENDIX_TAG in cell.metadata.get("tags", [])


def number_exhibits(page: str) -> str:
    """Number figures and tables in the order in which they stand."""
    counts: Counter[str] = Counter()

    def number(match: re.Match[str]) -> str:
        counts[match[1]] += 1
        return f'<span class="number">{match[1]} {counts[match[1]]}.</span>'

    return re.sub(r'<span class="number">(Figure|Table)\.</span>', number, page)


def render_page(notebook: nbformat.NotebookNode, facts: PageFacts, *, part: Part = "whole") -> str:
    """A page as one string: whole, or the report or the appendix of a run.

    Raises
    ------
    RenderError
        If the template cannot be filled, or the page fails a gate.
    """
    style = (TEMPLATES / "page" / "style.css").read_text(encoding="utf-8").strip()
    renderer = PageRenderer()
    try:
        compose = renderer.appendix if part == "appendix" else partial(renderer.report, is_whole=part == "whole")
        parts = compose(notebook, facts)
        has_screen = FIRST_SCREEN in parts[0]
        templates = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES / "page"))
        held = {"page": facts, "parts": parts, "has_screen": has_screen, "style": style}
        held["style_hash"] = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        held["headings"] = [] if has_screen else renderer.headings
        page = templates.get_template("index.html.j2").render(held)
    except Exception as error:
        raise RenderError(f"the page could not be rendered: {error}.", "Run again with --debug.") from error
    check_page(page := number_exhibits(page), largest=MAX_REPORT_BYTES if part == "report" else MAX_PAGE_BYTES)
    return page


class _Gate(HTMLParser):
    """Collects what a reviewer's browser or screen reader would stumble over."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.headings: list[int] = []
        self.language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = values.get("lang", "")
        address = values.get("src", "") or (values.get("href", "") if tag == "link" else "")
        is_inline = any(name.startswith("on") for name in values) or "style" in values
        found = {
            "a script": tag == "script",
            f"a request to {address[:60]}": re.match(r"(?i)\s*(https?:)?//", address),
            "an image without a description": tag == "img" and not values.get("alt", "").strip(),
            f"an inline handler or style on <{tag}>": is_inline,
            "a table header without scope": tag == "th" and "scope" not in values,
        }
        self.problems += [problem for problem, is_so in found.items() if is_so]
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))


def check_page(page: str, *, largest: int = MAX_PAGE_BYTES) -> None:
    """The gates: no request, no script, a language, one h1, headings in order, described images, size.

    Raises
    ------
    RenderError
        Naming every gate that the page fails.
    """
    gate = _Gate()
    gate.feed(page)
    count, size = gate.headings.count(1), len(page.encode())
    found = {
        "no language": not gate.language,
        f"{count} first-level headings": count != 1,
        "a heading level is skipped": any(b > a + 1 for a, b in pairwise(gate.headings)),
        f"{size:,} bytes, more than {largest:,}": size > largest,
    }
    if problems := [*gate.problems, *(problem for problem, is_so in found.items() if is_so)]:
        raise RenderError(f"the page fails its gates: {'; '.join(dict.fromkeys(problems))}.", "Mend the notebook.")
