"""Tables that let a reader check the pipeline: diagnostics, controls, what could have been found, volume and range."""

from dataclasses import dataclass

from event_impact.base.result import TestResult
from event_impact.estimation.abnormal import AbnormalReturns, Unmeasured
from event_impact.estimation.models import WindowEffects
from event_impact.inference.activity_tests import Surprise, surprise_frame
from event_impact.inference.diagnostics import StudyDiagnostics
from event_impact.inference.power_study import PowerStudy
from event_impact.inference.window_tests import ControlResult
from event_impact.inference.windows import WindowEstimate
from event_impact.page import format as form
from event_impact.page.exhibits import Column, Fact, TableExhibit, declare_table, record, show
from event_impact.page.markup import mark_up
from event_impact.page.tables import label_row


def tabulate_diagnostics(found: StudyDiagnostics | Unmeasured) -> TableExhibit:
    """What in the estimation window could spoil the tests."""
    facts = [Fact("all", f"n/a: {found.reason}", None)] if isinstance(found, Unmeasured) else _list_checks(found)
    p = Column("p_value", "p", "p", missing="no test")
    columns = (*show("check=quantity|check", "=said|value", "value|"), p, *show("note|how to read it"))
    return declare_table("diagnostics", facts, columns)


def _list_checks(found: StudyDiagnostics) -> list[Fact]:
    d, average = found.diagnostics, form.format_plain(found.average_leverage, digits=3)
    largest = f"{form.format_session(found.largest_leverage_session)}; the average is {average}"
    far = "how far its benchmark return lies from those of the fit, which it did not enter"
    state = f"{form.format_plain(d.volatility_state)} times the window's"
    forecast = "GARCH forecast made at the close before; 1 is the average of the window"
    facts = [
        _say_test("autocorrelation of residuals (Ljung-Box)", d.ljung_box),
        _say_test("autocorrelation of their squares (ARCH LM)", d.arch_lm),
        _say_test("normality (Jarque-Bera)", d.jarque_bera),
        _say_value("kurtosis of residuals", d.kurtosis, "3 under a normal"),
        Fact("skewness of residuals", form.format_number(d.skewness), d.skewness, None, "0 under a normal"),
        _say_value("leverage of the event session", d.event_leverage, far, digits=4),
        _say_value("largest leverage in the window", d.largest_leverage, largest, digits=3),
        Fact("volatility at the event", state, d.volatility_state, None, forecast),
    ]
    if (beta := d.beta_stability) is None:
        return [*facts, Fact("stability of beta", "n/a", None, None, "the model has no slope on a market")]
    dropped = " and ".join(map(form.format_session, found.dropped_sessions))
    facts += [
        _say_value("beta, whole window", beta.full),
        _say_value("beta, first half", beta.first_half),
        _say_value("beta, second half", beta.second_half),
        _say_test("same coefficients in both halves (Chow)", beta.test),
        _say_value("beta without the two sessions of highest leverage", beta.without_two_highest_leverage, dropped),
    ]
    if found.beta_without_doubtful is not None:
        doubtful = ", ".join(str(s.date()) for s in found.doubtful_sessions)
        note = f"{doubtful}: closing prints of the benchmark that the data notes call doubtful"
        facts.append(_say_value("beta without doubtful closing prints", found.beta_without_doubtful, note))
    return facts


def _say_value(name: str, value: float, note: str = "", *, digits: int = 2) -> Fact:
    return Fact(name, form.format_plain(value, digits=digits), value, None, note)


def _say_test(name: str, test: TestResult) -> Fact:
    said = form.format_plain(test.statistic or 0.0)
    return Fact(name, said, test.statistic, test.p_value, f"{test.null}; {test.distribution}")


def tabulate_controls(controls: tuple[ControlResult, ...], significance: float) -> TableExhibit:
    """Sessions on which the tests should reject, and sessions on which they should not."""
    columns = (
        Column("", "session", of=lambda c: f"{c.control.ticker} {c.control.session.date()}".replace("-", "\u2011")),
        *record("ticker=control.ticker session=control.session"),
        *show("label=control.label|what happened", "expected=control.expected|expected|words"),
        *show("estimate|abnormal return|percent|note", "p_t=tests.t.p_value|p t|p"),
        *show("p_conformal=tests.conformal.p_value|p conformal|p", "p_fhs=tests.fhs.p_value|p FHS|p"),
        Column("is_as_expected", "as expected", "yes", of=lambda c: c.is_as_expected(significance)),
        *record("source=control.source note"),
    )
    met = "n/a: no controls are recorded for this firm up to the as-of session."
    if controls:
        met = f"{sum(c.is_as_expected(significance) is True for c in controls)} of {len(controls)} are as expected."
    return declare_table("controls", controls, columns, significance=significance, met=met)


@dataclass(frozen=True)
class Line:
    """A sentence of the report."""

    text: str

    def _repr_html_(self) -> str:
        return f"<p>{mark_up(self.text)}</p>"


def say_controls(controls: tuple[ControlResult, ...], significance: float) -> Line:
    """How many sessions of known news the tests read as they should; those that they do not by name."""
    if not controls:
        return Line("Controls: none are recorded for this firm up to the as-of session.")
    missed = [c for c in controls if not c.is_as_expected(significance)]
    named = "; ".join(f"{c.control.ticker} {c.control.session.date()}, {c.control.label}" for c in missed)
    n, but = len(controls), f"; not on {named}" if named else ""
    return Line(form.say("check_tables.controls", met=n - len(missed), n=n, but=but))


def tabulate_dummies(found: WindowEffects | Unmeasured, abnormal: AbnormalReturns) -> TableExhibit:
    """The abnormal returns as coefficients of one dummy a session, beside the prediction errors."""
    columns = (
        *show("rel_session|", "session|session|session"),
        *show("coefficient|coefficient of the dummy|percent.4", "coefficient_error|standard error|size.4"),
        *show("ar|prediction error|percent.4", "forecast_std|forecast error|size.4"),
    )
    if isinstance(found, Unmeasured):
        return declare_table("dummy_regression", (), columns, said=f"n/a: {found.reason}.")
    rows = abnormal.table.loc[0 : len(found.abnormal_returns) - 1].reset_index()
    rows = rows.assign(coefficient=found.abnormal_returns, coefficient_error=found.covariance.diagonal() ** 0.5)
    said = f"Largest difference here: {(rows['coefficient'] - rows['ar']).abs().max():.1e}."
    return declare_table("dummy_regression", rows, columns, said=said)


def tabulate_power(power: PowerStudy, rows: list[WindowEstimate]) -> TableExhibit:
    """Detectable effects and the equivalence test of every window."""
    columns = (
        *show("label|return and window", "mde50_rule|found 1 in 2 from|size", "mde80_rule|found 4 in 5 from|size"),
        *show("mde90_rule|found 9 in 10 from|size", "mde80|4 in 5 by t|size"),
        *show("provable_bound|bound provable 4 in 5|size", "smallest_bound|smallest bound|size"),
        *show(f"p_equivalence|p inside {form.format_size(power.bound)}|p"),
    )
    notes = sorted({r.note for r in rows if r.standard_error is None and r.note})
    missing = f" n/a: {'; '.join(notes)}." if notes else ""
    shown = power.windows.assign(label=list(map(label_row, rows)))
    return declare_table("power", shown, columns, numbers=power.windows, missing=missing)


def tabulate_significance_filter(power: PowerStudy) -> TableExhibit:
    """What reaching significance would have done to the estimate of a true effect."""
    rows = power.filter.assign(times=[f"{form.format_plain(x, digits=1)} times" for x in power.filter["exaggeration"]])
    columns = (
        *show("effect|true effect|size"),
        Column("return_kind", "return", form.RETURN_LABELS.__getitem__),
        *show("power|power|share", "times|exaggerated by|written", "sign_error|wrong sign|share"),
    )
    none, level = "" if len(rows) else " n/a: the model has no standard error.", power.significance
    return declare_table("significance_filter", rows, columns, numbers=power.filter, significance=level, none=none)


ACTIVITY_LABELS = {"log_volume": "volume", "log_range": "range"}


def tabulate_activity(surprises: list[Surprise]) -> TableExhibit:
    """Observed over expected volume and range, with t and ranks."""
    days = {s.rel_session: f", {form.format_session(s.session)}" for s in surprises if s.session is not None}
    rows: dict[int, dict[str, object]] = {}
    for s in sorted(surprises, key=lambda s: s.rel_session):
        label = form.signed_whole(s.rel_session) + days.get(s.rel_session, "")
        rows.setdefault(s.rel_session, {"label": label})[s.kind] = s
    columns = [*show("label|session")]
    for kind, label in ACTIVITY_LABELS.items():
        p_values = (f"{kind}.tests.t.p_value|{label}, p t|p", f"{kind}.tests.sample_quantile.p_value|{label}, p rank|p")
        columns += show(f"{kind}.surprise|{label}, times expected|times|{kind}.note", *p_values)
    return declare_table("activity", rows.values(), columns, numbers=surprise_frame(surprises))
