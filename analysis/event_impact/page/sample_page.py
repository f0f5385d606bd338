"""A sample of events in words and tables: what was found on average, by which test, and what it hangs on.

A sample of events in two drawings: the average path with its band, and every event among the others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from event_impact.estimation.estimators import ESTIMATORS
from event_impact.many.files import OpenedBatch, WindowWork
from event_impact.many.sample import LeftOutEvents, PlaceboDates, SampleResult
from event_impact.page import format as form
from event_impact.page.canvas import WIDE_CLOCK, Canvas, Chart, Drawing, choose_ticks, measure_text
from event_impact.page.day_drawing import stack_dots
from event_impact.page.exhibits import Column, TableExhibit, declare_table, show
from event_impact.page.first_screen import FirstScreen, ScreenRow, read_outcome
from event_impact.page.panel_tables import STATISTIC_LABELS

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
HEIGHT, FOOT = 360, 46
#: Standardised returns beyond it are drawn at the edge, so that one event does not flatten the others.
LARGEST_SCAR = 8.0
BEYOND = 1.96


def tabulate_path(result: SampleResult) -> pd.DataFrame:
    """AAR, CAAR and its 95 % band by session; the band ends where the interval of the whole window does."""
    assert result.days is not None
    days, t = result.days, result.days.columns["caar_t"]
    spread = np.abs(days.caar / np.where(t != 0, t, np.nan))
    half = np.full(days.caar.size, np.nan)
    if result.ci95 is not None and np.isfinite(spread[-1]):
        half = spread * ((result.ci95[1] - result.ci95[0]) / 2 / spread[-1])
    columns = {"rel_session": days.rel_session, "aar": days.aar, "caar": days.caar}
    return pd.DataFrame({**columns, "ci95_low": days.caar - half, "ci95_high": days.caar + half})


def draw_average_path(result: SampleResult, declared: tuple[int, int]) -> Drawing:
    """The cumulated average with its band, the single days as bars, the declared window shaded."""
    table = tabulate_path(result)
    session, aar, caar = (table[name].to_numpy() for name in ("rel_session", "aar", "caar"))
    low_end, high_end = (table[name].fillna(table["caar"]).to_numpy() for name in ("ci95_low", "ci95_high"))
    low, high = float(min(low_end.min(), aar.min(), 0.0)), float(max(high_end.max(), aar.max(), 0.0))
    end = f"{form.format_number(100 * caar[-1])}\u00a0%"

    def draw(width: float) -> Canvas:
        reach, every = max(high - low, 1e-9), max(1, round(session.size / (11 if width > 400 else 7)))
        scale = (session[0] - 0.5, session[-1] + 0.5), (low - 0.1 * reach, high + 0.06 * reach)
        chart = Chart(width, HEIGHT + FOOT, *scale, right=80, top=24, bottom=FOOT)
        chart.strip(declared[0] - 0.5, declared[1] + 0.5, f"declared window {declared[0]} to {declared[1]}")
        chart.label(sum(declared) / 2, scale[1][1], "declared", paint="zone-text")
        chart.draw_y({tick / 100: form.format_number(tick) for tick in choose_ticks(100 * low, 100 * high, most=6)})
        edge = [*chart.points(session, high_end), *reversed(chart.points(session, low_end))]
        chart.canvas.area(edge, "dots", opacity=0.3, title="95 % band of the cumulated average")
        for k, day in zip(session, aar, strict=True):
            left, ends = chart.at_x(k - 0.2), sorted((chart.at_y(0), chart.at_y(day)))
            wide, high_bar = chart.at_x(k + 0.2) - left, ends[1] - ends[0] + 0.5
            chart.canvas.rect(left, ends[0], wide, high_bar, "rule", title=f"{k:+d}: {form.format_number(100 * day)} %")
        points = chart.points(session, caar)
        chart.canvas.path(points, "ink", width=2)
        chart.canvas.dots(points, 2.7, "ink")
        for line, text in enumerate(("cumulated", end)):
            chart.canvas.text(width - 74, points[-1][1] - 4 + 15 * line, text, size=12, is_bold=True)
        ticks = {k: form.format_number(k, digits=0) for k in session[session % every == 0].tolist()}
        chart.draw_x(ticks, "sessions from the event; bars: each day")
        return chart.canvas

    said = f"Average path of {result.n} events from session {session[0]} to {session[-1]}: cumulated {end}."
    return Drawing("average_path", "The average path", f"%, {form.format_count(result.n)} events", said, table, draw)


def draw_events(scar: Array, labels: list[str], *, unit: str = "standard errors") -> Drawing:
    """Every event by its own standard error: dots, bars where they are too many; those beyond two errors dark."""
    outside, shown = np.abs(scar) > BEYOND, np.clip(scar, -LARGEST_SCAR, LARGEST_SCAR)
    limit = float(max(4.0, np.abs(shown).max(initial=0.0))) * 1.05

    def draw(width: float) -> Canvas:
        chart = Chart(width, HEIGHT + FOOT, (-limit, limit), (0, 1), left=6, right=6, top=4, bottom=FOOT)
        canvas, at = chart.canvas, chart.at_x
        for left in (-limit, BEYOND):
            chart.strip(left, left + limit - BEYOND, f"beyond two {unit}")
        tops = stack_dots(canvas, at, shown, HEIGHT - 1, HEIGHT - 90, is_dark=outside)
        canvas.line(at(0), 48, at(0), HEIGHT, "rule")
        beyond = f"{form.format_count(outside.sum())} of {form.format_count(scar.size)} beyond"
        canvas.text(10, 20, beyond, size=12.5, is_bold=True)
        canvas.text(
            10, 36, f"two {unit.split()[-1]}; {form.format_count(0.05 * scar.size)} expected", paint="soft", size=12
        )
        ticks = {t: form.format_number(t, digits=0) for t in choose_ticks(-limit, limit, most=9 if width > 400 else 5)}
        chart.draw_x(ticks, f"abnormal return in its own {unit}")
        for k in {int(scar.argmin()), int(scar.argmax())} & set(np.flatnonzero(outside).tolist()):
            said = f"{labels[k]}, {form.format_number(float(scar[k]), digits=1)}"
            half = measure_text(said, 12) / 2
            place = min(max(at(float(shown[k])), half + 4), width - half - 4)
            level = min([HEIGHT - 46.0, *(y - 6 for x, y in tops if abs(x - place) < half + 6)])
            canvas.line(at(float(shown[k])), HEIGHT - 7, at(float(shown[k])), level, "rule")
            canvas.text(place, level - 4, said, size=12, anchor="middle", has_halo=True)
        return canvas

    numbers = pd.DataFrame({"event": labels, "scar": scar}).sort_values("scar", kind="stable")
    said = f"{scar.size} events by their standardised abnormal return; {outside.sum()} lie beyond two {unit}."
    return Drawing(
        "events_by_size",
        "Event by event",
        f"{form.format_count(scar.size)} events",
        said,
        numbers,
        draw,
        width=WIDE_CLOCK,
    )


NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
BLANK = "\u2013"
#: Rows of a table of events on the page; its CSV holds all of them.
MOST_ROWS = 20
FINDINGS = form.read_labels("sample_page.findings")
JOINT = form.read_labels("sample_page.joint")
USUAL, MODELS = form.read_labels("sample_page.usual"), form.read_labels("sample_page.models")
METHODS = {"wls": "precision weights", "ols_hc3": "HC3", "ols_clustered": "clustered by firm and date"}
AGAINST = ("distribution|against", "note|note")
MEANS = ("label|events", "n|number|whole", "caar|average|written", "p|p|p", "test|test")


@dataclass(frozen=True)
class SampleView:
    """Everything that the page of a sample shows.

    Attributes
    ----------
    works : sequence of WindowWork
        One a window, the declared one first.
    path : WindowWork
        The window of the average path.
    outcomes : list of str
        Of each window.
    sample : dict
        ``sample.json``, with its groups, traits and adjusted p.
    """

    name: str
    opened: OpenedBatch
    works: Sequence[WindowWork]
    path: WindowWork
    outcomes: list[str]
    placebo: PlaceboDates
    left_out: LeftOutEvents | None
    sample: dict[str, Any]
    significance: float

    @property
    def labels(self) -> list[str]:
        """Share and day of the used events."""
        frame = self.opened.placed.frame[self.works[0].estimates.is_used]
        return [f"{ticker} {session}" for ticker, session in zip(frame["ticker"], frame["session"], strict=True)]

    def say(self, value: float | None, work: WindowWork | None = None) -> str:
        """A mean: a signed percentage, or a multiple of the usual volume or volatility a day."""
        if value is None:
            return BLANK
        width = (work or self.works[0]).windows.n_event
        is_return = self.opened.request.measure == "returns"
        return form.format_percent(value) if is_return else f"{form.format_times(value / width)}-fold"


def _count(n: int, what: str) -> str:
    return f"{form.format_count(n)} {what}{'' if n == 1 else 's'}"


def _say_number(n: int) -> str:
    return NUMBERS[n] if n < len(NUMBERS) else form.format_count(n)


def name_window(work: WindowWork) -> str:
    """``Event day``, or ``Three days, \u22121 to +1``."""
    first, last = work.windows.event_first, work.windows.event_last
    ends = [f"{end:+d}".replace("-", "\u2212") if end else "0" for end in (first, last)]
    if first == last:
        return f"Session {ends[0]}" if first else "Event day"
    return f"{_say_number(work.windows.n_event).capitalize()} days, {ends[0]} to {ends[1]}"


def compose_sample_screen(view: SampleView) -> FirstScreen:
    """The first screen of a sample."""
    work, result = view.works[0], view.works[0].result
    frame, scar = view.opened.placed.frame[work.estimates.is_used], work.estimates.scar[work.estimates.is_used]
    shares, days = (frame[name].nunique() for name in ("ticker", "session"))
    declared = (work.windows.event_first, work.windows.event_last)
    panel, rows = view.opened.panel, [_row(view, each, k) for k, each in enumerate(view.works)]
    adjusted = [each["p_holm"] for each in view.sample["windows"]]
    windows = "One window was declared." if len(adjusted) == 1 else (
        f"The p of {len(adjusted)} windows stand as they are; Holm's over all of them are "
        f"{', '.join(BLANK if p is None else form.format_p(p) for p in adjusted)}."
    )  # fmt: skip
    drawings: tuple[Drawing, ...] = ()
    if result.days is not None and view.path.result.days is not None:
        unit = "usual spreads" if work.estimates.model in ESTIMATORS else "standard errors"
        drawings = draw_average_path(view.path.result, declared), draw_events(scar, view.labels, unit=unit)
    events, beyond = _count(result.n, "event"), max(map(abs, result.ci90)) if result.ci90 else None
    mde, ruled_out = (view.say(value).lstrip("+") for value in (result.mde80, beyond))
    why = re.sub(r"\d{4,}", lambda found: form.format_count(int(found[0])), result.recommendation)
    said = MODELS.get(view.opened.request.model, "")
    said += MODELS["controls"].format(**work.left_out) if work.left_out else ""
    return FirstScreen(
        firm=f"Sample {view.name}",
        story=f"{events} of {_count(shares, 'share')} on {_count(days, 'day')}",
        prices_to=None if panel is None else pd.Timestamp(panel.sessions[-1]).date(),
        outcome=view.outcomes[0],
        finding=FINDINGS[view.outcomes[0]].format(events=events, mde=mde, move=view.say(result.caar), ruled_out=ruled_out),
        sentences=_compose_sentences(view, scar),
        drawings=drawings,
        columns=(f"average abnormal {view.opened.request.measure}", "estimate", "95 % interval", "recommended p",
                 "positive", "seen 4 in 5 from", "reading"),
        rows=(*rows, _row(view, view.path, None)),
        notes=(
            ("Which test, and what it assumes.", f"{_name_test(result.recommended)}. {why}{said}"),
            ("Windows.", f"{windows} Events have equal weights."),
        ),
        csv="windows",
    )  # fmt: skip


def _row(view: SampleView, work: WindowWork, k: int | None) -> ScreenRow:
    result = work.result
    cells = (
        view.say(result.caar, work),
        " to ".join(view.say(end, work) for end in result.ci95) if result.ci95 else BLANK,
        BLANK if result.p_value is None else form.format_p(result.p_value),
        f"{form.format_count((work.estimates.car > 0).sum())} of {form.format_count(result.n)}",
        view.say(result.mde80, work).lstrip("+"),
        "" if k is None else read_outcome(view.outcomes[k]),
    )
    label = name_window(work) + (" (declared)" if k == 0 else " (the path)" if k is None else "")
    return ScreenRow(label, cells, "headline" if k == 0 else "beside" if k is None else "plain")


def _name_test(name: str) -> str:
    return STATISTIC_LABELS.get(name, "No test")


def _compose_sentences(view: SampleView, scar: np.ndarray) -> tuple[str, ...]:
    work, result, request = view.works[0], view.works[0].result, view.opened.request
    lost = sum(bool(reason) for reason in work.reasons)
    rejected = f"{_count(lost, 'event')} could not be used; why stands below." if lost else "No event was rejected."
    if result.caar is None:
        return (rejected,)
    over = name_window(work).split(",")[0].lower()
    over = "On the event day" if over == "event day" else f"Over {over}"
    usual = USUAL.get(request.model, USUAL["market"]).format(benchmark=request.benchmark)
    size = f"{over} {request.measure} was {view.say(result.caar)} the usual"
    if request.measure == "returns":
        how = f"{form.format_size(abs(result.caar))} {'more' if result.caar > 0 else 'less'} than"
        size = f"{over} the shares moved {'as' if how.startswith('0.00') else how} {usual}"
    interval = f"95 % interval {_row(view, work, 0).cells[1]}, " if result.ci95 else ""
    p = form.p_equals(result.p_value) if result.p_value is not None else "no test of the average"
    beyond, placebo = int((np.abs(scar) > BEYOND).sum()), view.placebo
    alone = f"{_say_number(beyond) if beyond else 'none'} of {_count(scar.size, 'event')} "
    alone += f"{'stand' if beyond > 1 else 'stands'} out alone; {_say_number(round(0.05 * scar.size))} would by chance."
    earlier, n = "The prices do not reach back far enough for placebo dates.", placebo.shifts.size
    if placebo.p_value is not None:
        k = round(placebo.p_value * (n + 1)) - 1
        earlier = f"On {_say_number(k)} of {_say_number(n)} earlier dates the same shares gave as large a statistic."
    return f"{size} ({interval}{p}).", alone[0].upper() + alone[1:], rejected, earlier


def tabulate_statistics(view: SampleView) -> TableExhibit:
    """Every statistic of every window with what it asks."""
    rows = pd.DataFrame(
        {"window": name_window(work), "test": _name_test(test.name) + " (read first)" * (test.name == work.result.recommended),
         "null": test.null, "statistic": test.statistic, "p": test.p_value, "distribution": test.distribution,
         "note": test.note}
        for work in view.works for test in work.result.tests.values()
    )  # fmt: skip
    heads = show("test|test", "null|null hypothesis", "statistic|statistic|plain", "p|p|p", *AGAINST)
    first = rows[rows["window"] == rows["window"].iloc[0]]
    return declare_table("sample_tests", first, heads, numbers=rows, window=name_window(view.works[0]).lower())


def tabulate_overlaps(view: SampleView) -> TableExhibit:
    """How the events share days and firms."""
    overlap = {name.replace("_", " "): value for name, value in view.sample["overlap"].items()}
    rows = pd.DataFrame({"shared": overlap.keys(), "value": overlap.values()})
    heads = show("shared|what is shared", "value|number|whole")
    return declare_table("sample_overlaps", rows, heads, correlation=view.sample["mean_correlation"])


def tabulate_rejected(view: SampleView) -> TableExhibit:
    """Events that could not be used, with their reasons; the CSV holds all of them."""
    frame = view.opened.placed.frame.assign(reason=view.works[0].reasons)
    frame = frame.loc[frame["reason"] != "", ["event_id", "ticker", "session", "reason"]]
    more = f" The first {MOST_ROWS} are shown, the CSV holds all." if len(frame) > MOST_ROWS else ""
    n, n_given = map(form.format_count, (len(frame), len(view.works[0].reasons)))
    heads, rows = show("event_id|event", "ticker|share", "session|day", "reason|reason"), frame.head(MOST_ROWS)
    return declare_table("sample_rejected", rows, heads, numbers=frame, n=n, n_given=n_given, more=more)


def tabulate_event_groups(view: SampleView) -> TableExhibit | None:
    """Each group, and the tests that all share one mean; None without groups."""
    if "groups" not in view.sample:
        return None
    rows = pd.DataFrame(
        {"label": name or "no word", "n": group["n"], "caar": group["caar"],
         "p": group["tests"].get(group["recommended"], {}).get("p"), "test": _name_test(group["recommended"] or "")}
        for name, group in view.sample["groups"].items()
    )  # fmt: skip
    difference = view.sample["group_difference"]
    tests = {name: test for each in difference.values() if isinstance(each, dict) for name, test in each.items()}
    said = [f"{how} {form.p_equals(test['p'])}" for name, test in tests.items() for start, how in JOINT.items()
            if name.startswith(start) and test["p"] is not None]  # fmt: skip
    together = "; ".join(said) or difference.get("note", BLANK)
    shown = rows.assign(caar=[view.say(group["caar"]) for group in view.sample["groups"].values()])
    return declare_table(
        "sample_groups", shown, show(*MEANS), numbers=rows, group=view.opened.request.group, said=together
    )


def tabulate_left_out(view: SampleView) -> TableExhibit | None:
    """What the average becomes without the events that matter most; None below three events."""
    left, result, labels = view.left_out, view.works[0].result, view.labels
    if left is None or result.caar is None:
        return None
    order = np.argsort(-np.abs(left.caar - result.caar), kind="stable")
    is_found = (result.p_value or 1.0) < view.significance
    flips = [labels[k] for k in np.flatnonzero((left.p_value < view.significance) != is_found)]
    rows = pd.DataFrame({"label": [f"without {labels[k]}" for k in order], "n": result.n - 1, "mean": left.caar[order],
                         "p": left.p_value[order], "test": "BMP, adjusted"})  # fmt: skip
    said = "No single event decides whether p is below the level."
    if flips:
        said = f"Each of {_count(len(flips), 'event')} decides whether p is below the level: {', '.join(flips[:5])}."
    shown = rows.head(8).assign(caar=rows["mean"].head(8).map(view.say))
    return declare_table("sample_left_out", shown, show(*MEANS), numbers=rows, said=said)


def tabulate_placebo_dates(view: SampleView) -> TableExhibit:
    """The sample at earlier dates."""
    placebo = view.placebo
    rows = pd.DataFrame({"shift": placebo.shifts, "caar": placebo.caar, "statistic": placebo.statistic})
    rank = "" if placebo.p_value is None else f" Rank {form.p_equals(placebo.p_value)}."
    heads = show("shift|sessions earlier|whole", "mean|average|written", "statistic|BMP|plain")
    shown = rows.assign(mean=rows["caar"].map(view.say))
    return declare_table("sample_placebo_dates", shown, heads, numbers=rows, is_folded=True, n=len(rows), rank=rank)


def tabulate_average_days(view: SampleView) -> TableExhibit:
    """Average abnormal returns by session, with their tests."""
    days = view.path.result.days
    names = ("rel_session", "aar", "caar") if days else ()
    table = {name: getattr(days, name) for name in names} | (days.columns if days else {})
    rows, kind = pd.DataFrame(table), "percent" if view.opened.request.measure == "returns" else "number"
    heads = show("rel_session|session|whole", f"aar|average|{kind}", f"caar|cumulated|{kind}", "aar_t_p|p (t)|p",
                 "aar_bmp_p|p (BMP)|p", "aar_corrado_p|p (ranks)|p", "caar_bmp_p|p, cumulated|p")  # fmt: skip
    return declare_table("sample_days", rows, heads, numbers=rows, events=_count(view.path.result.n, "event"))


def tabulate_traits(view: SampleView) -> TableExhibit | None:
    """Regressions of the events' abnormal returns on their traits; None where none were asked for."""
    found = {method: each for method, each in view.sample.get("traits", {}).items() if isinstance(each, dict)}
    if not found:
        return None
    rows = pd.DataFrame(
        {"label": trait.replace(f"{method}_", "all levels of ").replace("wild_", "all levels, wild bootstrap, of "),
         "method": METHODS[method], "p": test["p"], "coefficient": test.get("coefficient")}
        for method, each in found.items() for trait, test in each.items()
    )  # fmt: skip
    # of several terms at once there is no coefficient
    coefficient = Column("coefficient", "coefficient", "number.4", missing=BLANK)
    return declare_table("sample_traits", rows, (*show("label|trait", "method|errors"), coefficient, *show("p|p|p")))
