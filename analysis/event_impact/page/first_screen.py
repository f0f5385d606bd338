"""The first screen of a page: the finding, three sentences, two drawings, three rows, one line.

What only the runner knows (pages beside this one, what changed since the previous run) is filled in when the page is
rendered, into the elements named by ``SIBLINGS`` and ``CHANGES``.
"""

from dataclasses import dataclass
from datetime import date
from html import escape

from event_impact.page.canvas import Drawing
from event_impact.page.exhibits import EXHIBIT_MIME, write_csv
from event_impact.page.format import find_forbidden
from event_impact.page.markup import mark_up

SIBLINGS = '<nav class="siblings" aria-label="Other pages of this story" data-provenance></nav>'
CHANGES = '<span class="changes" data-provenance></span>'
#: A cell for which there is no such number.
EMPTY = "\u2013"
FIRST_SCREEN = '<section class="first-screen"'
LINKS = '<a href="results/{name}.csv">Numbers (CSV)</a>{drawn} \u00b7 <a href="appendix.html">How it was done</a>'
#: Outcome -> glyph, word, class of its chip: colour is never alone.
CHIPS = {
    "effect": ("\u25cf", "found", "found"),
    "found": ("\u25cf", "found", "found"),
    "fragile": ("\u25c9", "found, fragile", "doubt"),
    "untested": ("\u25c9", "found, untested", "doubt"),
    "detectable_but_small": ("\u25c6", "found, small", "found"),
    "borderline": ("\u25d0", "borderline", "border"),
    "smaller_than_bound": ("\u25c7", "small, shown", "small"),
    "no_detectable_effect": ("\u25cb", "not detectable", "none"),
    "insufficient_data": ("\u2013", "too few data", "none"),
    "aligned": ("\u25f7", "times only", "none"),
    "no_bars": ("\u2013", "no minute prices", "none"),
    "failed": ("\u2715", "failed", "failed"),
}


def chip(outcome: str) -> str:
    """The outcome as a small label."""
    glyph, word, look = CHIPS[outcome]
    return f'<span class="chip {look}"><span aria-hidden="true">{glyph}</span> {word}</span>'


def print_rows(table: dict[str, list[list[str]]]) -> list[str]:
    """The first table of a page for a terminal: heads, then rows, their columns below each other."""
    rows = [*table["heads"], *table["rows"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([c.rjust(w) if k else c.ljust(w) for k, (c, w) in enumerate(zip(r, widths, strict=True))] for r in rows)
    return ["  ".join(cells).rstrip() for cells in padded]


def read_outcome(outcome: str) -> str:
    """The word of an outcome, as tables print it."""
    return CHIPS[outcome][1]


@dataclass(frozen=True)
class ScreenRow:
    """A row of the first table; ``cells`` stand under its columns, an empty one prints nothing.

    ``weight`` is ``headline`` (set off), ``plain`` or ``beside`` (grey: shown, not part of the finding).
    """

    label: str
    cells: tuple[str, ...]
    weight: str = "plain"


@dataclass(frozen=True, repr=False)
class FirstScreen:
    """What a reader has in ten seconds.

    Attributes
    ----------
    firm, story : str
        ``Ford (F, NYSE)`` and what the story is about.
    finding : str
        The first-level heading, two lines at most.
    sentences : tuple of str
        Size and how common; what is ruled out; what can be told apart. Sixty words together.
    columns : tuple of str
        Heads of the table, the first of them over the row labels.
    notes : tuple of (str, str)
        Bold lead and text of the closing line.
    csv : str
        Name of the results behind it, without its ending.
    links : str
        Where the numbers and the rest lie, as markup; ``{name}`` stands for ``csv``, ``{drawn}`` for the numbers of the
        drawings.
    reading : str
        Outcome that the chip shows, where it is not that of the record.
    companion_outcome : str or None
        Of the companion, where there is one.

    Raises
    ------
    ValueError
        If a sentence holds a forbidden wording.
    """

    firm: str
    story: str
    outcome: str
    finding: str
    sentences: tuple[str, ...]
    csv: str
    prices_to: date | None = None
    status: str = "final"
    drawings: tuple[Drawing, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[ScreenRow, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    links: str = LINKS
    reading: str = ""
    companion_outcome: str | None = None

    def __post_init__(self) -> None:
        if broken := find_forbidden(" ".join((self.text, *(text for _, text in self.notes)))):
            raise ValueError(f"{self.story}: the finding holds a forbidden wording: {', '.join(broken)}")

    @property
    def text(self) -> str:
        """Finding and sentences as plain text."""
        return " ".join((self.finding, *self.sentences))

    @property
    def table(self) -> dict[str, list[list[str]]]:
        """Heads and rows of the first table, as a terminal shows them."""
        return {"heads": [list(self.columns)], "rows": [[row.label, *row.cells] for row in self.rows]}

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        held = [{"name": drawing.name, "csv": write_csv(drawing.numbers)} for drawing in self.drawings]
        return {"text/html": self._repr_html_(), "text/plain": self.text, EXHIBIT_MIME: held}

    def _repr_html_(self) -> str:
        until = f" \u00b7 prices to {self.prices_to.day} {self.prices_to:%b %Y}" if self.prices_to else ""
        layout = "pair" if len(self.drawings) > 1 else "single"
        drawn = "".join(drawing._repr_html_() for drawing in self.drawings)
        drawings = f'<div class="{layout}">{drawn}</div>' if drawn else ""
        linked = "".join(f', <a href="results/{d.name}.csv">{d.name.replace("_", " ")}</a>' for d in self.drawings)
        notes = " ".join(f"<strong>{escape(lead)}</strong> {mark_up(text)}" for lead, text in self.notes)
        return (
            f'{FIRST_SCREEN} aria-label="Finding">'
            f'<div class="line"><span><strong>{escape(self.firm)}</strong> \u00b7 {escape(self.story)}{until} \u00b7 '
            f"<strong>{escape(self.status)}</strong> {chip(self.reading or self.outcome)}</span>{SIBLINGS}</div>"
            f"<h1>{mark_up(self.finding)}</h1>"
            f'<p class="deck">{mark_up(" ".join(self.sentences))}</p>'
            f"{drawings}{self._table()}"
            f'<p class="foot">{notes} {CHANGES} {self.links.format(name=self.csv, drawn=linked)}</p></section>'
        )

    def _table(self) -> str:
        """Three rows; on a phone each becomes a line with its estimate and a list of the rest."""
        if not self.rows:
            return ""
        heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in self.columns)
        body = ""
        for row in self.rows:
            held = zip(self.columns[1:], row.cells, strict=True)
            cells = "".join(f'<td data-label="{escape(head)}">{mark_up(cell or EMPTY)}</td>' for head, cell in held)
            body += f'<tr class="{row.weight}"><th scope="row">{mark_up(row.label)}</th>{cells}</tr>'
        return (
            f'<div class="screen-table"><table><caption class="unseen">{escape(self.columns[0])}</caption>'
            f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        )
