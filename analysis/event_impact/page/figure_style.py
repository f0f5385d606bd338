"""What all figures share: the house style, colours with a second cue, axes in percent, safe labels."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from event_impact.base.root import CHECKOUT, PACKAGED_STUDY
from event_impact.page.format import MINUS

STYLE_FILE = "matplotlibrc"
STYLE_FOLDERS = (CHECKOUT, PACKAGED_STUDY)
"""A checkout, then the copy that comes with the installed package."""

BLACK, BLUE, VERMILLION = "#000000", "#0072b2", "#d55e00"
"""Okabe and Ito's colours that are dark enough for lines and text."""
PALE_BLUE, PALE_GREY, MID_GREY, CLOSED_GREY = "#cfe5f3", "#e6e6e6", "#767676", "#e3e3e3"
"""Fills, and the grey of secondary text."""

ROLE_COLOURS = {"report": VERMILLION, "denial": BLUE, "relay": "#595959", "other": BLACK}
ROLE_MARKERS = {"report": "o", "denial": "s", "relay": "|", "other": "D"}
WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 2}
"""Behind text that crosses lines."""
LABEL_LENGTH = 46
P = ParamSpec("P")
R = TypeVar("R")


@lru_cache(maxsize=1)
def read_style() -> dict[Any, Any]:
    """The house settings on top of the library's defaults, whatever the user has configured."""
    path = next(folder / STYLE_FILE for folder in STYLE_FOLDERS if (folder / STYLE_FILE).is_file())
    settings = mpl.rc_params_from_file(str(path), fail_on_error=True, use_default_template=True)
    return {name: settings[name] for name in settings if not name.startswith("backend")}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style, whatever the working directory; the settings before are put back."""
    with mpl.rc_context(rc=read_style()):
        yield


def in_house_style(draw: Callable[P, R]) -> Callable[P, R]:
    """Run a figure function in the house style."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with house_style():
            return draw(*args, **kwargs)

    return drawn


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """Rows by the names of their columns."""
    return iter(frame.itertuples())


def new_figure(height: float) -> Figure:
    """A figure of the house width that belongs to no window and no global state."""
    return Figure(figsize=(6.2, height), layout="constrained")


def new_axes(height: float) -> tuple[Figure, Axes]:
    """A figure with one pair of axes."""
    figure = new_figure(height)
    return figure, figure.add_subplot()


def key(label: str, colour: str = BLACK, marker: str = "", **style: Any) -> Line2D:
    """An entry of a legend: a line, a mark, or a line with its marks."""
    return Line2D([], [], label=label, color=colour, marker=marker, **{"linestyle": "-", **style})


def use_rows(axes: Axes, labels: Sequence[str], axis_label: str) -> None:
    """One row a label, the first on top, on a percent scale with its zero."""
    axes.axvline(0, color=MID_GREY, linewidth=1, zorder=0.5)
    axes.set_yticks([-i for i in range(len(labels))], labels, parse_math=False)
    axes.set_ylim(0.5 - max(len(labels), 1), 0.75)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    use_percent(axes.xaxis, axis_label)


def draw_interval(
    axes: Axes, y: float, row: Any, look: tuple[str, str], *, width: float = 1.6, name: str = "ci95"
) -> None:
    """An estimate with its interval on a row; ``look`` is a colour and a marker."""
    colour, marker = look
    low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
    axes.plot([low, high], [y, y], color=colour, linewidth=width, linestyle="-")
    axes.plot(row.estimate, y, color=colour, marker=marker, markersize=7, markeredgecolor="white")


def write_missing(axes: Axes, text: str, at: tuple[float, float] | None = None) -> None:
    """Say in a figure why something is not drawn: at a place, or in the middle."""
    placed: dict[str, Any] = {} if at else {"transform": axes.transAxes}
    axes.text(*(at or (0.5, 0.5)), f"n/a: {text}", ha="center", va="center", parse_math=False, bbox=WHITE, **placed)


@lru_cache(maxsize=1)
def drawable_characters() -> frozenset[str]:
    """Characters that the house font can draw."""
    with house_style():
        return frozenset(map(chr, FT2Font(findfont(mpl.rcParams["font.family"][0])).get_charmap()))


def plain_label(text: str, length: int = LABEL_LENGTH) -> str:
    """Text from a table as a label: one line, of bounded length, with characters that can be drawn.

    Control and direction marks are dropped; what the font lacks becomes a box. Show the label with
    ``parse_math=False``: a dollar sign is a dollar sign.
    """
    spaced = "".join(" " if c.isspace() else c for c in text)
    kept = "".join(c for c in spaced if unicodedata.category(c)[0] != "C")
    drawn = " ".join("".join(c if c in drawable_characters() else "\u25a1" for c in kept).split())
    return drawn if len(drawn) <= length else drawn[: length - 1].rstrip() + "\u2026"


def signed_percent(value: float, _position: int | None = None) -> str:
    """A tick of a percent axis: ``−2``, ``0``, ``+2``."""
    return f"{100 * value:+.3g}".replace("-", MINUS) if round(100 * value, 9) else "0"


def signed_whole(value: float, _position: int | None = None) -> str:
    """A whole number with its sign: ``−5``, ``0``, ``+10``."""
    return f"{round(value):+d}".replace("-", MINUS) if round(value) else "0"


def use_percent(axis: Axis, label: str, *, ticks: int = 7) -> None:
    """Show fractions as signed percentages."""
    axis.set_major_formatter(FuncFormatter(signed_percent))
    axis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))
    axis.set_label_text(f"{label} (%)")


def use_event_time(axes: Axes) -> None:
    """Whole sessions relative to the event, signs shown."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(signed_whole))
    axes.set_xlabel("sessions from the event session (0)")


def shade_hull(axes: Axes, hull: tuple[int, int]) -> None:
    """Mark the sessions from the first to the last that report and first denial can have reached."""
    axes.axvspan(hull[0] - 0.5, hull[1] + 0.5, facecolor=PALE_BLUE, alpha=0.55, edgecolor="none", zorder=0.55)
    for edge in (hull[0] - 0.5, hull[1] + 0.5):
        axes.axvline(edge, color=BLUE, linewidth=0.7, zorder=0.7)


def legend_above(axes: Axes, handles: Iterable[Artist] | None = None, *, columns: int = 2) -> None:
    """A legend over the axes, where it can hide nothing."""
    axes.legend(
        **({} if handles is None else {"handles": list(handles)}),
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=columns,
        columnspacing=1.2,
        borderaxespad=0.3,
    )
