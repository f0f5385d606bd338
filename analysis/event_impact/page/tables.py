"""Tables of results for readers; every cell is formatted from the same object that the CSV holds."""

from __future__ import annotations

import math
import re

import pandas as pd

from event_impact.base.config import StudyConfig
from event_impact.base.errors import StudyError
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.models import MODEL_LABELS
from event_impact.events.calendars import SessionHours
from event_impact.events.sessions import Alignment, EventSession
from event_impact.inference.story_sequence import StorySequence
from event_impact.inference.windows import WindowEstimate, estimates_frame, frame_tests
from event_impact.market.returns import ReturnPanel
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import (
    OUTCOME_LABELS,
    RETURN_LABELS,
    format_interval,
    format_number,
    format_p,
    format_percent,
    format_session,
    or_reason,
)


def tabulate_headline(rows: list[WindowEstimate], config: StudyConfig) -> TableExhibit:
    """The first table of a page: the event session and each declared window, close to close and at the open."""
    shown = [
        r for r in rows if r.is_primary or (r.return_kind == "close_to_close" and (r.first, r.last) in config.windows)
    ]
    shown.sort(key=lambda r: (not r.is_primary, r.return_kind != "close_to_close", r.first, r.last))
    cells = pd.DataFrame(
        {
            "estimate": [or_reason(r.estimate, format_percent, r.note) for r in shown],
            "95 % interval": [_interval95(r) for r in shown],
            "p (t)": [or_reason(r.p_value("t"), format_p, "") for r in shown],
            "p (rank)": [or_reason(r.rank_p, format_p, "") for r in shown],
            "detectable 4 in 5 from": [or_reason(r.mde80, _unsigned, "") for r in shown],
            "sessions": [or_reason(r.n_estimation, str, "") for r in shown],
        },
        index=[label_row(r) for r in shown],
    )
    return TableExhibit(
        name="headline_windows",
        cells=cells,
        row_header="return and window",
        caption=(
            "What was measured: abnormal returns, the two declared rows first. The rank p is the larger of "
            "conformal and FHS, block conformal for several sessions; sessions counts the estimation window."
            f"{_say_news(shown)}"
        ),
        numbers=estimates_frame(shown),
    )


def _say_news(rows: list[WindowEstimate]) -> str:
    """Recorded other news inside the windows shown, each item once."""
    items = dict.fromkeys(item for row in rows for item in row.other_news)
    cautions = "".join(f" At the open, session 0: {row.caution}." for row in rows if row.caution)
    if not items:
        return cautions
    return f"{cautions} Other news is recorded inside these windows and part of what they measure: {'; '.join(items)}."


def tabulate_estimates(rows: list[WindowEstimate]) -> TableExhibit:
    """Every row with its size, intervals, power and outcome."""
    shown, labels = fold_unavailable(rows)
    cells = pd.DataFrame(
        {
            "estimate": [or_reason(r.estimate, format_percent, r.note) for r in shown],
            "s.e.": [or_reason(r.standard_error, _unsigned, "") for r in shown],
            "90 % interval": [format_interval(r.ci90) if r.ci90 else "n/a" for r in shown],
            "95 % interval": [_interval95(r) for r in shown],
            "MDE 80 %": [or_reason(r.mde80, _unsigned, "") for r in shown],
            "smallest bound": [or_reason(r.smallest_bound, _unsigned, "") for r in shown],
            "outcome": [OUTCOME_LABELS[r.outcome] for r in shown],
        },
        index=labels,
    )
    return TableExhibit(
        name="estimates",
        cells=cells,
        row_header="return and window",
        caption=(
            "All windows. MDE is the smallest true effect that an unadjusted 5 % t test would see four times in five; "
            "it does not depend on the estimate. The smallest bound is the tightest one inside which the effect could "
            "be shown to lie. Windows before session 0 check for leakage and never enter the verdict."
        ),
        numbers=estimates_frame(rows),
    )


def tabulate_tests(rows: list[WindowEstimate]) -> TableExhibit:
    """Every row with every test; the tests that need several sessions stand in a table of their own."""
    shown, labels = fold_unavailable(rows)
    columns: dict[str, list[str]] = {"t": [or_reason(r.tests["t"].statistic, format_number, "") for r in shown]}
    for name in TEST_LABELS:
        if name not in WINDOW_TESTS and any(name in r.tests for r in shown):
            columns[TEST_LABELS[name]] = [_p_or_reason(r, name) for r in shown]
    columns["p Holm"] = [or_reason(r.p_holm, format_p, "") for r in shown]
    return TableExhibit(
        name="tests",
        cells=pd.DataFrame(columns, index=labels),
        row_header="return and window",
        caption=(
            "All tests, two-sided p-values; Holm adjusts the declared pair. "
            f"Null hypotheses: {_say_nulls(rows, [n for n in TEST_LABELS if n not in WINDOW_TESTS])}"
            f"{_say_reasons(rows, [n for n in TEST_LABELS if n not in WINDOW_TESTS])}"
        ),
        numbers=frame_tests(rows),
    )


def tabulate_window_tests(rows: list[WindowEstimate]) -> TableExhibit:
    """Windows of several sessions: tests that allow for dependence or look at every session at once."""
    several = [r for r in rows if r.last > r.first]
    shown, labels = fold_unavailable(several)
    columns = {TEST_LABELS[name]: [_p_or_reason(r, name) for r in shown] for name in WINDOW_TESTS}
    joint = [r.tests["joint_f"].statistic if "joint_f" in r.tests else None for r in shown]
    return TableExhibit(
        name="window_tests",
        cells=pd.DataFrame(
            {"joint F": [or_reason(v, lambda x: format_number(x, sign=False), "") for v in joint], **columns},
            index=labels,
        ),
        row_header="return and window",
        caption=(
            "Windows of several sessions. The joint F asks whether every session is ordinary, the others whether their "
            "sum is; its p is a rank among earlier windows, because the F distribution rejects too often under fat "
            f"tails. Null hypotheses: {_say_nulls(shown, list(WINDOW_TESTS))}{_say_reasons(shown, list(WINDOW_TESTS))}"
        ),
        numbers=frame_tests(several).loc[lambda f: f["test"].isin(WINDOW_TESTS)],
    )


def fold_unavailable(rows: list[WindowEstimate]) -> tuple[list[WindowEstimate], list[str]]:
    """Rows with their labels; a return of which no window has a number stands in one row with its reason."""
    lacking = {r.return_kind for r in rows} - {r.return_kind for r in rows if r.estimate is not None}
    shown, labels, told = [], [], set()
    for row in rows:
        if row.return_kind not in lacking:
            shown.append(row)
            labels.append(label_row(row))
        elif row.return_kind not in told:
            told.add(row.return_kind)
            shown.append(row)
            labels.append(f"{RETURN_LABELS[row.return_kind]}, every window")
    return shown, labels


def _say_nulls(rows: list[WindowEstimate], names: list[str]) -> str:
    nulls = {t.name: t.null for r in rows for t in r.tests.values() if t.null and t.name in names}
    return "; ".join(f"{TEST_LABELS[name].removeprefix('p ')}: {null}" for name, null in nulls.items()) + "."


def _say_reasons(rows: list[WindowEstimate], names: list[str]) -> str:
    """Why some cells are n/a, each reason once."""
    reasons: dict[str, str] = {}
    for row in rows:
        if row.estimate is None:
            reasons[f"{RETURN_LABELS[row.return_kind]}: {row.note}"] = ""
        for name in names:
            test = row.tests.get(name)
            if row.estimate is not None and test is not None and test.p_value is None:
                reason = re.sub(r"this window has \d+", "this window has more", test.note.rstrip("."))
                reasons[f"{TEST_LABELS[name].removeprefix('p ')}: {reason}"] = ""
    return f" n/a: {'; '.join(reasons)}." if reasons else ""


def _unsigned(value: float) -> str:
    return format_percent(value, sign=False)


def _interval95(row: WindowEstimate) -> str:
    if row.ci95 is not None:
        return format_interval(row.ci95)
    return f"by ranks: {format_interval(row.rank_ci95)}" if row.rank_ci95 else "n/a"


def _p_or_reason(row: WindowEstimate, name: str) -> str:
    test = row.tests.get(name)
    if test is None:
        return "n/a"
    return format_p(test.p_value) if test.p_value is not None else "n/a"


TEST_LABELS = {
    "t": "p t",
    "sample_quantile": "p sample quantile",
    "conformal": "p conformal",
    "block_conformal": "p block conformal",
    "fhs": "p FHS",
    "placebo": "p placebo",
    "pseudo_event": "p pseudo-events",
    "block_bootstrap": "p block bootstrap",
    "joint_f": "p joint F",
}
WINDOW_TESTS = ("block_conformal", "pseudo_event", "block_bootstrap", "joint_f")


def label_row(row: WindowEstimate) -> str:
    """``close to close, session 0`` or ``..., sessions 0 to +2``."""
    if row.first == row.last:
        window = f"session {row.first:+d}" if row.first else "session 0"
    else:
        window = f"sessions {row.first:+d} to {row.last:+d}".replace("+0", "0")
    mark = ""
    if row.is_primary:
        mark = " (headline)" if row.return_kind == "close_to_close" else " (companion)"
    return f"{RETURN_LABELS[row.return_kind]}, {window.replace('-', chr(0x2212))}{mark}"


def tabulate_alignment(alignment: Alignment) -> TableExhibit:
    """Reports and denials, their bounds in UTC and by the clock of the exchange, and the sessions they can have reached."""
    events = [e for e in alignment.articles if e.article.role in ("report", "denial")]
    return TableExhibit(
        name="alignment",
        cells=_alignment_cells(events, alignment.hours),
        row_header="article",
        caption=(
            "Reports and denials. Each became public within an interval, never at a point; a candidate session is one "
            f"of {alignment.hours.exchange} whose closing price is the first that can contain it."
        ),
        numbers=alignment.frame(),
    )


def tabulate_relays(alignment: Alignment) -> TableExhibit:
    """Copies and other items: they bound the reports and denials, and define nothing themselves."""
    events = [e for e in alignment.articles if e.article.role not in ("report", "denial")]
    none = "" if events else " None is recorded."
    return TableExhibit(
        name="relays",
        cells=_alignment_cells(events, alignment.hours),
        row_header="article",
        caption=f"Relays and other items. They bound the articles above and define no event themselves.{none}",
        numbers=alignment.frame().loc[lambda f: ~f["role"].isin(["report", "denial"])],
        is_folded=True,
    )


def _alignment_cells(events: list[EventSession], hours: SessionHours) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "role": [e.article.role for e in events],
            "outlet": [e.article.outlet for e in events],
            f"not before (UTC / {hours.city})": [
                f"{_clocks(e.article.published_earliest, hours)}, {e.article.earliest_basis.replace('_', ' ')}"
                for e in events
            ],
            f"not after (UTC / {hours.city})": [
                f"{_clocks(e.article.published_latest, hours)}, {e.article.latest_basis.replace('_', ' ')}"
                for e in events
            ],
            "phase": [e.phase.replace("_", " ") + (", near close" if e.is_near_close else "") for e in events],
            "candidate sessions": [", ".join(str(s.date()) for s in e.sessions) for e in events],
        },
        index=[e.article.article_id for e in events],
    )


def tabulate_venues(first: pd.DataFrame, alignment: Alignment) -> TableExhibit:
    """Where the share could first be priced once each article was public for sure."""
    labels = {"report": "after the report", "denial": "after the first denial"}
    cells = pd.DataFrame(
        {
            f"{labels[role]} (UTC / {alignment.hours.city})": [
                _clocks(at, alignment.hours) if pd.notna(at) else "n/a: the venue did not exist" for at in first[role]
            ]
            for role in first.columns
        },
        index=first.index,
    )
    numbers = first.reset_index()
    none = "" if len(first) else " No venue is recorded for this exchange."
    return TableExhibit(
        name="first_prices",
        cells=cells,
        row_header="venue",
        caption=(
            f"First possible prices of a listing of {alignment.hours.exchange}, by venue, counted from the latest bound of "
            "each article. Other venues are timing aids: one piece of news, never a second test. Where both columns show "
            f"the same instant, a price between earlier instants within the bounds is still possible.{none}"
        ),
        numbers=numbers,
    )


def tabulate_instants(exchange: str, located: pd.DataFrame) -> TableExhibit:
    """Where instants fall on an exchange, as :func:`event_impact.registry.alignments.locate_instants` finds them."""
    cells = pd.DataFrame(
        {
            f"clock of {exchange}": located["local"],
            "phase": [
                phase.replace("_", " ") + (", near close" if is_near else "")
                for phase, is_near in zip(located["phase"], located["is_near_close"], strict=True)
            ],
            "first close after it": located["close_session"],
            "first open after it": located["open_session"],
        }
    )
    return TableExhibit(
        name="instants",
        cells=cells.set_axis(located["instant"]),
        row_header="instant (UTC)",
        caption=(
            f"News of an instant on the calendar of {exchange}. At the very instant of a close it belongs to the next "
            "session; half days close early."
        ),
        numbers=located,
    )


def tabulate_registry(alignments: list[Alignment]) -> TableExhibit:
    """Every story: where its articles fall and what daily prices can tell apart."""
    cells = pd.DataFrame(
        {
            "listing": [f"{a.story.ticker} ({a.hours.exchange})" for a in alignments],
            "identified": [a.identification.kind.replace("_", " ") for a in alignments],
            "report": [_sessions(a.report_sessions) for a in alignments],
            "first denial": [_sessions(a.denial_sessions) for a in alignments],
            "figures": ["embedded" if a.story.is_embedded else "to fetch" for a in alignments],
        },
        index=[a.story.story for a in alignments],
    )
    numbers = cells.rename_axis("story").reset_index()
    return TableExhibit(
        name="registry",
        cells=cells,
        row_header="story",
        caption=(
            "All registered stories. Several sessions in a cell mean that each is possible. A price between report and "
            "denial can be an opening price only where opening prices are recorded."
        ),
        numbers=numbers,
    )


def tabulate_counts(alignments: list[Alignment]) -> TableExhibit:
    """How many stories can be told apart, and how many not."""
    kinds = [a.identification.kind for a in alignments]
    unique = [not a.is_ambiguous for a in alignments]
    order = ("separable", "joint", "ambiguous", "report_only", "denial_only")
    counts = pd.DataFrame(
        {
            "stories": [kinds.count(k) for k in order],
            "sessions_unique": [sum(u for u, kind in zip(unique, kinds, strict=True) if kind == k) for k in order],
        },
        index=list(order),
    )
    cells = counts.map(str).rename(columns={"stories": "stories", "sessions_unique": "of these, sessions unique"})
    cells.index = [IDENTIFIED_LABELS[k] for k in order]
    return TableExhibit(
        name="identification_counts",
        cells=cells,
        row_header="what daily prices identify",
        caption=(
            f"What is identified, over {len(alignments)} stories. Sessions are unique when neither the report nor the "
            "first denial could have reached another one."
        ),
        numbers=counts.rename_axis("kind").reset_index(),
    )


IDENTIFIED_LABELS = {
    "separable": "report and denial separately: a price surely lies between them",
    "joint": "their joint effect only: no recorded daily price lies between them",
    "ambiguous": "their joint effect only: whether a price lies between depends on the bounds",
    "report_only": "the report; no denial is recorded",
    "denial_only": "the denial and a report whose time is not sourced, jointly",
}


def _sessions(sessions: tuple[pd.Timestamp, ...]) -> str:
    return ", ".join(str(s.date()) for s in sessions) or "n/a: none recorded"


def _clocks(instant: pd.Timestamp, hours: SessionHours) -> str:
    return f"{instant:%a %d %b %H:%M} / {instant.tz_convert(hours.timezone):%a %H:%M}"


def _clock(instant: pd.Timestamp) -> str:
    return instant.strftime("%a %Y-%m-%d %H:%M")


def tabulate_fit(abnormal: AbnormalReturns) -> TableExhibit:
    """The estimation window and what least squares found on it."""
    fit = abnormal.fit
    pairs: list[tuple[str, str, object]] = [
        ("model", MODEL_LABELS[fit.model], fit.model),
        ("estimation window", f"{fit.sessions[0].date()} to {fit.sessions[-1].date()}", fit.sessions[0]),
        ("sessions used", f"{fit.n_estimation} of {fit.asked_sessions}", fit.n_estimation),
    ]
    for name, value in fit.coefficients.items():
        error = fit.coefficient_errors[name]
        said = f"{value:.4f} (s.e. {error:.4f})" if fit.has_error else f"{value:.4f}"
        pairs.append((str(name), said.replace("-", chr(0x2212)), value))
    largest = int(fit.leverages.argmax()) if len(fit.coefficients) else 0
    r_squared = "n/a: nothing is estimated" if math.isnan(fit.r_squared) else f"{fit.r_squared:.3f}"
    pairs += [
        ("residual standard deviation", format_percent(fit.residual_std, sign=False), fit.residual_std),
        ("R squared", r_squared, fit.r_squared),
        (
            "largest leverage in the window",
            f"{fit.leverages.max():.3f} on {fit.sessions[largest].date()}",
            fit.leverages.max(),
        ),
    ]
    return TableExhibit(
        name="model_fit",
        cells=pd.DataFrame({"value": [text for _, text, _ in pairs]}, index=[name for name, _, _ in pairs]),
        row_header="quantity",
        caption=(
            f"The estimation window, {RETURN_LABELS[abnormal.return_kind]} returns. A session with large leverage "
            "pulls the fitted line towards itself."
            + ("" if fit.has_error else f" Coefficients have no standard error: {fit.why_no_error}.")
        ),
        numbers=pd.DataFrame({"quantity": [name for name, _, _ in pairs], "value": [value for _, _, value in pairs]}),
    )


def tabulate_sequence(sequence: StorySequence, alignment: Alignment) -> TableExhibit:
    """Report, denial and total effect, or every candidate session, with the tests over all of them."""
    shown = sequence.rows
    names = {"report": "before the denial", "denial": "from the denial on", "total": "in total"}
    cells = pd.DataFrame(
        {
            "sessions": [
                (f"{r.first}" if r.first == r.last else f"{r.first} to {r.last}").replace("-", chr(0x2212))
                for r in shown
            ],
            "estimate": [or_reason(r.estimate, format_percent, r.note) for r in shown],
            "95 % interval": [format_interval(r.contrast.interval(0.95)) if r.contrast else "n/a" for r in shown],
            "p (t)": [format_p(r.contrast.p_value) if r.contrast else "n/a" for r in shown],
            "p (rank)": [or_reason(r.rank_p, format_p, "") for r in shown],
            "MDE 80 %": [or_reason(r.mde80, _unsigned, "") for r in shown],
            "note": [r.note if r.estimate is not None else "" for r in shown],
        },
        index=[names.get(r.name, r.name) for r in shown],
    )
    if not any(cells["note"]):
        del cells["note"]
    tests = "; ".join(
        f"{label}: {format_p(t.p_value) if t.p_value is not None else 'n/a: ' + t.note}"
        for label, t in (
            ("Largest |t| over the sessions, p", sequence.max_t),
            ("all sessions jointly, p", sequence.joint),
        )
    )
    fieller = ""
    if sequence.fieller is not None:
        bounded = sequence.fieller.is_bounded
        limits = f"{sequence.fieller.lower:.2f} to {sequence.fieller.upper:.2f}".replace("-", chr(0x2212))
        fieller = f" Reversed fraction (Fieller 95 %): {limits if bounded else 'not bounded'}."
    return TableExhibit(
        name="sequence",
        cells=cells,
        row_header="effect",
        caption=(
            "Effects over the sessions that the articles can have reached "
            f"({alignment.identification.kind.replace('_', ' ')}). Contrasts of one fit with the full forecast "
            f"covariance; the rank p is the larger of conformal and FHS, block conformal for several sessions. "
            f"{tests}.{fieller}{_say_reversal(sequence)}"
        ),
        numbers=sequence.frame(),
    )


def _say_reversal(sequence: StorySequence) -> str:
    claim = sequence.reversal
    if claim is None:
        return ""
    return (
        f" The three conditions of a reversal: effect before the denial, p {format_p(claim.p_report)}; opposite effect "
        f"from the denial on, p {format_p(claim.p_denial)}; total inside {_unsigned(claim.bound)}, p "
        f"{format_p(claim.p_total_equivalence)}: {'all hold' if claim.is_reversal else 'not all hold'}."
    )


def tabulate_confounders(rows: pd.DataFrame, alignment: Alignment) -> TableExhibit:
    """Other news inside the windows, as :func:`event_impact.study.steps.list_news` gathers it, and the registry's own remarks."""
    hours = alignment.hours
    origin = hours.sessions.get_loc(alignment.event_session)
    relative = [int(hours.sessions.get_loc(s)) - int(origin) for s in rows.index]
    cells = pd.DataFrame(
        {
            "session relative": [format_number(r, digits=0) for r in relative],
            "listing": rows["listing"].tolist(),
            "what": rows["label"].tolist(),
            "source": rows["source"].tolist(),
            "known from (UTC)": [_clock(t) for t in rows["known_from"]],
            "listed for masking": ["yes" if m else "no" for m in rows["is_masked"]],
        },
        index=[format_session(s) for s in rows.index],
    )
    numbers = rows.reset_index()
    numbers.insert(0, "rel_session", relative)
    note = "" if len(rows) else " None is recorded."
    remarks = alignment.story.notes.strip().rstrip(".")
    if remarks:
        note += f" Remarks of the registry on this story: {remarks}."
    return TableExhibit(
        name="confounders",
        cells=cells,
        row_header="session",
        caption=(
            f"Other recorded news of {alignment.story.ticker} inside the windows, and from the event session on of its "
            "benchmark and its peers on the same calendar. An abnormal return of such a session belongs to all of its news "
            f"together; that none is recorded does not mean that there was none.{note}"
        ),
        numbers=numbers,
    )


def tabulate_data(panel: ReturnPanel, alignment: Alignment) -> TableExhibit:
    """Where the figures come from, and the sessions around the event as recorded."""
    near = panel.prices.loc[
        alignment.hours.offset(alignment.event_session, -1) : alignment.hours.offset(alignment.event_session, 2)
    ]
    if near.empty:
        raise StudyError("no prices around the event session.", "Use a longer history.")
    market = panel.benchmark_prices.loc[near.index]
    cells = pd.DataFrame(
        {
            f"{panel.ticker} open": near["open"].map(_price).tolist(),
            f"{panel.ticker} close": near["close"].map(_price).tolist(),
            f"{panel.benchmark} open": market["open"].map(_price).tolist(),
            f"{panel.benchmark} close": market["close"].map(_price).tolist(),
            f"{panel.ticker} close to close": _returns(panel, panel.ticker, near.index),
            f"{panel.benchmark} close to close": _returns(panel, panel.benchmark, near.index),
        },
        index=[format_session(s) for s in near.index],
    )
    return TableExhibit(
        name="prices_near_event",
        cells=cells,
        row_header="session",
        caption=(
            f"Prices around the event, as recorded in vintage {panel.vintage}, not as known on the day. Prices in the "
            f"currency of the listing; returns are simple and total.{''.join(f' {note}' for note in panel.notes)}"
        ),
        numbers=near.reset_index(),
    )


def _price(value: float) -> str:
    return "n/a: not recorded" if value != value else f"{value:.2f}"


def _returns(panel: ReturnPanel, ticker: str, sessions: pd.DatetimeIndex) -> list[str]:
    column = panel.returns["close_to_close"][ticker].reindex(sessions)
    return [or_reason(float(v), format_percent, "first recorded session") for v in column]
