"""Plain text as HTML of captions and tables: escaped, and broken only where a reader would break it."""

import re
from collections.abc import Iterable
from html import escape
from itertools import zip_longest

INSTANT = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}Z)?)?"
#: Characters after which a word may be broken: hashes, addresses and names that would push a table off the paper.
LONGEST_WORD = 24
PIECE = re.compile(rf"(?P<instant>{INSTANT})|(?P<word>\S{{{LONGEST_WORD + 1},}})")
RANGE = re.compile(rf"(?<=[\d%]) to (?=[+\u2212]?\d)(?!{INSTANT})")
#: Characters from which a cell gets room to breathe.
LONG_CELL = 28
#: From so many columns, and up to so many rows, a table stacks on a phone: each row becomes a list of its cells.
STACK_COLUMNS, STACK_ROWS = 4, 8
#: Columns from which a table is set smaller, so that it fits beside the contents on a common screen.
DENSE_COLUMNS = 9
ROW_TAG = re.compile(r"<(tr|th|td)(?=[ >])")
FRACTION = re.compile(r"\.\d+(?=\D*$)")
SENTENCE = re.compile(r".+?[.?!](?=\s|$)", re.DOTALL)


#: A dollar sign of its own element: JupyterLab would set what stands between two of them as a formula.
DOLLAR = "<span>$</span>"


def mark_up(text: object) -> str:
    """Escaped text: a date and a range of numbers stay on one line, a very long word may break anywhere."""
    plain = RANGE.sub("\u00a0to\u00a0", str(text))
    parts, end = [], 0
    for match in PIECE.finditer(plain):
        word = match["word"] or ""
        chunks = (word[k : k + LONGEST_WORD] for k in range(0, len(word), LONGEST_WORD))
        piece = "<wbr>".join(map(escape, chunks)) if word else f"<time>{match[0]}</time>"
        parts += [escape(plain[end : match.start()]), piece]
        end = match.end()
    return "".join((*parts, escape(plain[end:]))).replace("$", DOLLAR)


def mark_up_cell(text: object, room: int | None = None) -> str:
    """A data cell; ``room`` as :func:`align_decimals` gives it."""
    return f"<td{_classes(text, '' if room is None else f'num d{room}')}>{mark_up(text)}</td>"


def mark_up_row(
    header: object, values: Iterable[object], *, row_class: str = "", rooms: Iterable[int | None] = ()
) -> str:
    """A row with its header; ``row_class`` is trusted."""
    attribute = f' class="{escape(row_class)}"' if row_class else ""
    cells = "".join(mark_up_cell(value, room) for value, room in zip_longest(values, rooms))
    return f'<tr{attribute}><th scope="row"{_classes(header)}>{mark_up(header)}</th>{cells}</tr>'


def _classes(text: object, look: str = "") -> str:
    held = " ".join(filter(None, (look, "long" if len(str(text)) >= LONG_CELL else "")))
    return f' class="{held}"' if held else ""


def align_decimals(cells: Iterable[str]) -> list[int | None]:
    """How many figures wide the room after each number of a column is, so that the points stand below each other.

    None for a cell that gives a reason in place of a number.
    """
    held = list(cells)
    widths = [len(match[0]) if (match := FRACTION.search(cell)) else 0 for cell in held]
    room = max(widths, default=0)
    return [
        None if cell.startswith("n/a:") else (room - width) * any(map(str.isdigit, cell))
        for cell, width in zip(held, widths, strict=True)
    ]


def find_title(caption: str) -> str:
    """The first sentence of a caption, without its full stop."""
    match = SENTENCE.match(caption)
    return (match[0] if match else caption).rstrip(".")


def mark_up_caption(caption: str, kind: str) -> str:
    """A caption with a place for its number, its first sentence set off as the title."""
    match = SENTENCE.match(caption)
    title = match[0] if match else caption
    rest = caption[len(title) :]
    number = f'<span class="number">{kind}.</span> ' if kind else ""
    return f'{number}<span class="title">{mark_up(title)}</span>{mark_up(rest)}'


def frame_table(
    caption: str,
    heads: Iterable[str],
    rows: str,
    *,
    name: str = "",
    is_numbered: bool = True,
    aligned: Iterable[bool] = (),
) -> str:
    """A table in a frame that scrolls by finger and keyboard; ``rows`` are finished rows, an empty head stays empty.

    ``aligned`` marks the columns of numbers after the row headers.

    A small table of many columns can also be stacked by the style sheet. Its cells then carry the head of their
    column, and every part its role, because browsers forget what a table is once it is laid out as anything else.
    """
    heads = list(heads)
    is_stacked = len(heads) >= STACK_COLUMNS and rows.count("<tr") <= STACK_ROWS
    head = "".join(
        f'<th scope="col"{look}>{mark_up(h)}</th>' if h else "<td></td>"
        for h, look in zip_longest(heads, ("", *(' class="num"' * a for a in aligned)), fillvalue="")
    )
    head, group, role = f"<tr>{head}</tr>", "", ""
    if is_stacked:
        group, role = ' role="rowgroup"', ' role="table"'
        head, rows = _name_roles(head, "columnheader"), _name_roles(rows, "rowheader", heads)
    parts = f"<thead{group}>{head}</thead><tbody{group}>{rows}</tbody>"
    identity = f' id="{escape(name)}" class="exhibit"' if name else ""
    layout = " stack" * is_stacked + " dense" * (len(heads) >= DENSE_COLUMNS)
    return (
        f'<div class="table-frame{layout}" role="region" tabindex="0" aria-label="{escape(find_title(caption))}">'
        f'<table{identity}{role}><caption><span class="text">'
        f"{mark_up_caption(caption, 'Table' if is_numbered else '')}</span></caption>{parts}</table></div>"
    )


def _name_roles(rows: str, header_role: str, heads: list[str] | None = None) -> str:
    """Finished rows with the role of every part, and on each data cell the head of its column.

    Text in ``rows`` is escaped, so that whatever looks like a tag is one.
    """
    column = 0

    def name(match: re.Match[str]) -> str:
        nonlocal column
        tag = match[1]
        if tag == "tr":
            column = -1
            return f'{match[0]} role="row"'
        column += 1
        if tag == "th":
            return f'{match[0]} role="{header_role}"'
        label = heads[column] if heads and column < len(heads) else ""
        return f'{match[0]} role="cell"' + (f' data-label="{escape(label)}"' if label else "")

    return ROW_TAG.sub(name, rows)
