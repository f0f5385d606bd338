"""Tables of the study's results, and of where the articles fall."""

import math
import re
from collections.abc import Iterable
from functools import partial
from typing import Any

import pandas as pd

from event_impact.base.errors import StudyError
from event_impact.estimation.abnormal import AbnormalReturns
from event_impact.estimation.models import MODEL_LABELS
from event_impact.events.calendars import SessionHours
from event_impact.events.sessions import Alignment, EventSession
from event_impact.inference.sequence import StorySequence
from event_impact.inference.windows import HEADLINE_KIND, WindowEstimate, estimates_frame, frame_tests
from event_impact.market.returns import ReturnPanel
from event_impact.page import format as form
from event_impact.page.exhibits import Column, Fact, TableExhibit, declare_table, show
from event_impact.page.finding import list_tested, name_exchange

TEST_LABELS = form.read_labels("tables.test_labels")
WINDOW_TESTS = ("block_conformal", "pseudo_event", "block_bootstrap", "joint_f")
SESSION_TESTS = tuple(name for name in TEST_LABELS if name not in WINDOW_TESTS)


def label_row(row: WindowEstimate) -> str:
    """``close to close, session 0`` or ``..., sessions 0 to +2``."""
    window = f"sessions {row.first:+d} to {row.last:+d}" if row.last > row.first else f"session {row.first:+d}"
    window = window.replace("+0", "0").replace("-", form.MINUS)
    largest = f", the largest of {row.n_candidates}" if row.is_set else ""
    mark = (" (headline)" if row.return_kind == HEADLINE_KIND else " (companion)") if row.is_primary else ""
    return f"{form.RETURN_LABELS[row.return_kind]}, {window}{largest}{mark}"


def _p_of(name: str) -> Column:
    return Column(f"tests.{name}.p_value", TEST_LABELS[name], "p")


ESTIMATE = Column("estimate", "estimate", "percent", why="note")


def _say_news(rows: list[WindowEstimate]) -> str:
    """Recorded other news inside the windows shown, each item once."""
    items = "; ".join(dict.fromkeys(item for row in rows for item in row.other_news))
    cautions = "".join(f" At the open, session 0: {row.caution}." for row in rows if row.caution)
    return cautions + (form.say("tables.other_news", items=items) if items else "")


def tabulate_estimates(rows: list[WindowEstimate]) -> TableExhibit:
    """Every row with its size, intervals, power and outcome."""
    shown, header = fold_unavailable(rows)
    columns = (
        header,
        ESTIMATE,
        *show("standard_error|s.e.|size", "ci90|90 % interval|interval", "=ci95|95 % interval|interval"),
        *show("mde80_rule|found 4 in 5 from|size.1", "mde80|by t|size", "smallest_bound|smallest bound|size"),
        Column("outcome", "outcome", lambda word: form.OUTCOME_LABELS.get(word, "not judged alone")),
    )
    return declare_table("estimates", shown, columns, numbers=estimates_frame(rows), news=_say_news(rows))


def tabulate_tests(rows: list[WindowEstimate]) -> TableExhibit:
    """Every row with every test; the tests that need several sessions stand in a table of their own."""
    shown, header = fold_unavailable(rows)
    p_values = (_p_of(name) for name in SESSION_TESTS if any(name in r.tests for r in shown))
    columns = (header, *show("tests.t.statistic|t|number"), *p_values, *show("p_holm|p Holm|p"))
    return declare_table("tests", shown, columns, numbers=frame_tests(rows), **_say_tests(rows, SESSION_TESTS))


def tabulate_window_tests(rows: list[WindowEstimate]) -> TableExhibit:
    """Windows of several sessions: tests that allow for dependence or look at every session at once."""
    several = [r for r in rows if r.last > r.first]
    shown, header = fold_unavailable(several)
    columns = (header, *show("tests.joint_f.statistic|joint F|plain"), *map(_p_of, WINDOW_TESTS))
    numbers = frame_tests(several).loc[lambda f: f["test"].isin(WINDOW_TESTS)]
    return declare_table("window_tests", shown, columns, numbers=numbers, **_say_tests(shown, WINDOW_TESTS))


def fold_unavailable(rows: list[WindowEstimate]) -> tuple[list[WindowEstimate], Column]:
    """Rows and their header; a return of which no window has a number stands in one row with its reason."""
    known = {r.return_kind for r in rows if r.estimate is not None}
    first = {r.return_kind: r for r in reversed(rows)}

    def label(row: WindowEstimate) -> str:
        return label_row(row) if row.return_kind in known else f"{form.RETURN_LABELS[row.return_kind]}, every window"

    shown = [r for r in rows if r.return_kind in known or r is first[r.return_kind]]
    return shown, Column("", "return and window", of=label)


def _say_tests(rows: list[WindowEstimate], names: Iterable[str]) -> dict[str, Any]:
    """Null hypotheses, and why some cells are n/a, each reason once."""
    labels = {name: TEST_LABELS[name].removeprefix("p ") for name in names}
    nulls = {t.name: t.null for r in rows for t in r.tests.values() if t.null and t.name in labels}
    reasons: dict[str, None] = {}
    for row in rows:
        if row.estimate is None:
            reasons[f"{form.RETURN_LABELS[row.return_kind]}: {row.note}"] = None
            continue
        for name, test in ((name, row.tests[name]) for name in labels if name in row.tests):
            if test.p_value is None:
                reason = re.sub(r"this window has \d+", "this window has more", test.note.rstrip("."))
                reasons[f"{labels[name]}: {reason}"] = None
    told = "; ".join(f"{labels[name]}: {null}" for name, null in nulls.items())
    return {"nulls": f"{told}.", "reasons": f" n/a: {'; '.join(reasons)}." if reasons else ""}


def tabulate_alignment(alignment: Alignment) -> TableExhibit:
    """Reports and denials, their bounds in UTC and by the clock of the exchange, and the sessions they can have reached."""
    columns, exchange = _article_columns(alignment.hours), name_exchange(alignment)
    return declare_table("alignment", list_tested(alignment), columns, numbers=alignment.frame(), exchange=exchange)


def tabulate_relays(alignment: Alignment) -> TableExhibit:
    """Copies and other items: they bound the reports and denials, and define nothing themselves."""
    tested = list_tested(alignment)
    events = [e for e in alignment.articles if e not in tested]
    none, columns = "" if events else " None is recorded.", _article_columns(alignment.hours)
    numbers = alignment.frame().loc[lambda f: ~f["role"].isin(["report", "denial"])]
    return declare_table("relays", events, columns, numbers=numbers, is_folded=True, none=none)


def _article_columns(hours: SessionHours) -> tuple[Column, ...]:
    def tell(end: str, event: EventSession) -> str:
        at, basis = getattr(event.article, f"published_{end}"), getattr(event.article, f"{end}_basis")
        return f"{_clocks(at, hours)}, {basis.replace('_', ' ')}"

    ends = {"not before": "earliest", "not after": "latest"}
    return (
        *show("article.outlet|article", "article.role|role"),
        *(Column("", f"{head} (UTC / {hours.city})", of=partial(tell, end)) for head, end in ends.items()),
        Column("", "phase", of=lambda e: _say_phase(e.phase, e.is_near_close)),
        Column("", "candidate sessions", of=lambda e: _list_days(e.sessions)),
    )


def _say_phase(phase: str, is_near_close: bool) -> str:
    return form.name_words(phase) + (", near close" if is_near_close else "")


def _list_days(sessions: Iterable[pd.Timestamp]) -> str:
    return ", ".join(str(s.date()) for s in sessions)


def _clocks(instant: pd.Timestamp, hours: SessionHours) -> str:
    return f"{instant:%a %d %b %H:%M} / {instant.tz_convert(hours.timezone):%a %H:%M}"


def tabulate_venues(first: pd.DataFrame, alignment: Alignment) -> TableExhibit:
    """Where the share could first be priced once each article was public for sure."""
    hours, labels = alignment.hours, {"report": "after the report", "denial": "after the first denial"}
    numbers, missing = first.reset_index(), "n/a: the venue did not exist"
    none = "" if len(first) else " No venue is recorded for this exchange."
    heads = {str(role): f"{labels[str(role)]} (UTC / {hours.city})" for role in first.columns}
    shown = (Column(role, head, lambda at: _clocks(at, hours), missing=missing) for role, head in heads.items())
    columns = (Column(str(numbers.columns[0]), "venue"), *shown)
    return declare_table("first_prices", numbers, columns, numbers=numbers, exchange=hours.exchange, none=none)


def tabulate_instants(exchange: str, located: pd.DataFrame) -> TableExhibit:
    """Where instants fall on an exchange, as :func:`event_impact.registry.alignments.align` finds them."""
    columns = (
        *show("instant|instant (UTC)", f"local|clock of {exchange}"),
        Column("", "phase", of=lambda row: _say_phase(row["phase"], row["is_near_close"])),
        *show("close_session|first close after it", "open_session|first open after it"),
    )
    return declare_table("instants", located, columns, numbers=located, exchange=exchange)


def tabulate_registry(alignments: list[Alignment]) -> TableExhibit:
    """Every story: where its articles fall and what daily prices can tell apart."""
    none = "n/a: none recorded"
    columns = (
        *show("story=story.story|", "=story.title|story"),
        Column("listing", "listing", of=lambda a: form.name_listing(a.story.ticker, a.hours.exchange)),
        Column("identified", "identified", of=lambda a: form.name_words(a.identification.kind)),
        Column("report", "report", of=lambda a: _list_days(a.report_sessions) or none),
        Column("first denial", "first denial", of=lambda a: _list_days(a.denial_sessions) or none),
        Column("figures", "figures", of=lambda a: "embedded" if a.story.is_embedded else "to fetch"),
    )
    return declare_table("registry", alignments, columns)


def tabulate_fit(abnormal: AbnormalReturns) -> TableExhibit:
    """The estimation window and what least squares found on it."""
    fit = abnormal.fit
    largest, leverage = int(fit.leverages.argmax()) if len(fit.coefficients) else 0, fit.leverages.max()
    r_squared = "n/a: nothing is estimated" if math.isnan(fit.r_squared) else f"{fit.r_squared:.3f}"
    errors = [f" (s.e. {error:.4f})" if fit.has_error else "" for error in fit.coefficient_errors]
    facts = [
        Fact("model", MODEL_LABELS[fit.model], fit.model),
        Fact("estimation window", f"{fit.sessions[0].date()} to {fit.sessions[-1].date()}", fit.sessions[0]),
        Fact("sessions used", f"{fit.n_estimation} of {fit.asked_sessions}", fit.n_estimation),
        *(
            Fact(str(name).replace("_", " "), f"{value:.4f}{error}".replace("-", form.MINUS), value)
            for (name, value), error in zip(fit.coefficients.items(), errors, strict=True)
        ),
        Fact("residual standard deviation", form.format_size(fit.residual_std), fit.residual_std),
        Fact("R squared", r_squared, fit.r_squared),
        Fact("largest leverage in the window", f"{leverage:.3f} on {fit.sessions[largest].date()}", leverage),
    ]
    columns = show("quantity|quantity", "=said|value", "value|")
    why = "" if fit.has_error else f" Coefficients have no standard error: {fit.why_no_error}."
    return declare_table("model_fit", facts, columns, kind=form.RETURN_LABELS[abnormal.return_kind], errors=why)


def tabulate_sequence(sequence: StorySequence, alignment: Alignment) -> TableExhibit:
    """Report, denial and total effect, with the test over all their sessions."""
    names = {"report": "before the denial", "denial": "from the denial on", "total": "in total"}
    columns = [
        Column("name", "effect", names.__getitem__),
        Column("", "sessions", of=lambda r: " to ".join(map(str, sorted({r.first, r.last}))).replace("-", form.MINUS)),
        ESTIMATE,
        Column("", "95 % interval", "interval", of=lambda r: r.interval(0.05)),
        *show("contrast.p_value|p (t)|p", "rank_p|p (rank)|p", "mde80|MDE 80 %|size"),
    ]
    if any(r.note for r in sequence.rows if r.estimate is not None):
        columns.append(Column("", "note", of=lambda r: r.note if r.estimate is not None else ""))
    kind, joint = alignment.identification.kind, Column("p_value", kind="p", why="note").cell(sequence.joint)
    fieller, claim, conditions = sequence.fieller, sequence.reversal, ""
    if fieller is not None:
        limits = " to ".join(map(form.format_plain, (fieller.lower, fieller.upper)))
        conditions = form.say("tables.fraction", limits=limits if fieller.is_bounded else "not bounded")
    if claim is not None:
        conditions += form.say("tables.conditions", claim=claim, held="all" if claim.is_reversal else "not all")
    said: dict[str, Any] = {"kind": kind, "joint": joint, "conditions": conditions}
    return declare_table("sequence", sequence.rows, columns, numbers=sequence.frame(), **said)


def tabulate_confounders(rows: pd.DataFrame, alignment: Alignment) -> TableExhibit:
    """Other news inside the windows, as :func:`event_impact.study.steps.list_news` gathers it."""
    numbers = rows.reset_index()
    numbers.insert(0, "rel_session", alignment.relative(tuple(rows.index)))
    note = "" if len(rows) else " None is recorded."
    if not alignment.story.confounders_searched:
        note = f" News of {alignment.story.ticker} was not researched.{note}"
    columns = (
        Column(str(numbers.columns[1]), "session", "session"),
        *show("rel_session|session relative|number.0", "listing|listing", "label|what", "source|source"),
        *show("known_from|known from (UTC)|instant", "is_masked|listed for masking|yes"),
    )
    return declare_table("confounders", numbers, columns, numbers=numbers, firm=alignment.story.firm_name, note=note)


def tabulate_data(panel: ReturnPanel, alignment: Alignment) -> TableExhibit:
    """Where the figures come from, and the sessions around the event as recorded."""
    before, after = (alignment.hours.offset(alignment.event_session, k) for k in (-1, 2))
    near = panel.prices.loc[before:after]
    if near.empty:
        raise StudyError("no prices around the event session.", "Use a longer history.")
    columns = [Column("", "session", "session", of=lambda s: s)]
    for name, table in ((panel.ticker, near), (panel.benchmark, panel.benchmark_prices.loc[near.index])):
        for kind in ("open", "close"):
            columns.append(Column("", f"{name} {kind}", "plain", of=table[kind].get, missing="n/a: not recorded"))
    returns, missing = panel.returns["close_to_close"].reindex(near.index), "n/a: first recorded session"
    for name in (panel.ticker, panel.benchmark):
        columns.append(Column("", f"{name} close to close", "percent", of=returns[name].get, missing=missing))
    said: dict[str, Any] = {"vintage": panel.vintage, "notes": "".join(f" {note}" for note in panel.notes)}
    return declare_table("prices_near_event", near.index, columns, numbers=near.reset_index(), **said)
