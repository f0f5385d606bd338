"""Tables that let a reader check the pipeline: diagnostics of the estimation window, and controls."""

from __future__ import annotations

import pandas as pd

from event_impact.base.result import TestResult
from event_impact.estimation.abnormal import AbnormalReturns, Unmeasured
from event_impact.estimation.dummies import DummyRegression
from event_impact.inference.control_tests import ControlResult
from event_impact.inference.diagnostics import StudyDiagnostics
from event_impact.page.columns import Column, Fact, declare_table
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import format_number, format_plain, format_session


def tabulate_diagnostics(found: StudyDiagnostics | Unmeasured) -> TableExhibit:
    """What in the estimation window could spoil the tests."""
    facts = [Fact("all", f"n/a: {found.reason}", None)] if isinstance(found, Unmeasured) else _list_checks(found)
    columns = (
        Column("check", "check", of="quantity"),
        Column("", "value", of="said"),
        Column("value"),
        Column("p_value", "p", "p", missing="no test"),
        Column("note", "how to read it"),
    )
    caption = (
        "Diagnostics of the estimation window, close to close. The t test needs normal, independent residuals of "
        "constant spread; the rank tests need no normal law, FHS no constant spread. No check here changes a result: "
        "together they say which of the tests to trust."
    )
    return declare_table("diagnostics", facts, columns, caption=caption)


def _list_checks(found: StudyDiagnostics) -> list[Fact]:
    d, average = found.diagnostics, format_plain(found.average_leverage, digits=3)
    largest = f"{format_session(found.largest_leverage_session)}; the average is {average}"
    far = "how far its benchmark return lies from those of the fit, which it did not enter"
    state = f"{format_plain(d.volatility_state)} times the window's"
    forecast = "GARCH forecast made at the close before; 1 is the average of the window"
    facts = [
        _say_test("autocorrelation of residuals (Ljung-Box)", d.ljung_box),
        _say_test("autocorrelation of their squares (ARCH LM)", d.arch_lm),
        _say_test("normality (Jarque-Bera)", d.jarque_bera),
        _say_value("kurtosis of residuals", d.kurtosis, "3 under a normal"),
        Fact("skewness of residuals", format_number(d.skewness), d.skewness, None, "0 under a normal"),
        _say_value("leverage of the event session", d.event_leverage, far, digits=4),
        _say_value("largest leverage in the window", d.largest_leverage, largest, digits=3),
        Fact("volatility at the event", state, d.volatility_state, None, forecast),
    ]
    beta = d.beta_stability
    if beta is None:
        return [*facts, Fact("stability of beta", "n/a", None, None, "the model has no slope on a market")]
    dropped = " and ".join(map(format_session, found.dropped_sessions))
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
    return Fact(name, format_plain(value, digits=digits), value, None, note)


def _say_test(name: str, test: TestResult) -> Fact:
    said = format_plain(test.statistic or 0.0)
    return Fact(name, said, test.statistic, test.p_value, f"{test.null}; {test.distribution}")


def tabulate_controls(controls: tuple[ControlResult, ...], significance: float) -> TableExhibit:
    """Sessions on which the tests should reject, and sessions on which they should not."""
    columns = (
        Column("", "session", of=lambda c: f"{c.control.ticker} {c.control.session.date()}".replace("-", "\u2011")),
        Column("ticker", of="control.ticker"),
        Column("session", of="control.session"),
        Column("label", "what happened", of="control.label"),
        Column("expected", "expected", lambda expected: expected.replace("_", " "), of="control.expected"),
        Column("estimate", "abnormal return", "percent", why="note"),
        Column("p_t", "p t", "p", of="tests.t.p_value"),
        Column("p_conformal", "p conformal", "p", of="tests.conformal.p_value"),
        Column("p_fhs", "p FHS", "p", of="tests.fhs.p_value"),
        Column("is_as_expected", "as expected", "yes", of=lambda c: c.is_as_expected(significance)),
        Column("source", of="control.source"),
        Column("note"),
    )
    met = sum(c.is_as_expected(significance) is True for c in controls)
    none = " n/a: no controls are recorded for this firm up to the as-of session."
    caption = (
        f"Controls: the same tests on sessions of known news, market model, close to close. A test rejects when the "
        f"larger of the conformal and the FHS p lies below {significance:g}. The sessions were chosen after their "
        "returns were known, so they check the machinery and say nothing of its error rates."
        + (f" {met} of {len(controls)} are as expected." if controls else none)
    )
    return declare_table("controls", controls, columns, caption=caption)


def tabulate_dummies(found: DummyRegression | Unmeasured, abnormal: AbnormalReturns) -> TableExhibit:
    """The abnormal returns as coefficients of one dummy a session, beside the prediction errors."""
    columns = (
        Column("rel_session"),
        Column("session", "session", "session"),
        Column("coefficient", "coefficient of the dummy", "percent", digits=4),
        Column("coefficient_error", "standard error", "size", digits=4),
        Column("ar", "prediction error", "percent", digits=4),
        Column("forecast_std", "forecast error", "size", digits=4),
    )
    if isinstance(found, Unmeasured):
        rows, said = pd.DataFrame(), f"n/a: {found.reason}."
    else:
        n = len(found.effects)
        rows = abnormal.table.loc[0 : n - 1].reset_index()
        rows = rows.assign(coefficient=found.effects, coefficient_error=found.covariance.diagonal() ** 0.5)
        said = f"Largest difference here: {(rows['coefficient'] - rows['ar']).abs().max():.1e}."
    caption = (
        "The same by regression: one least-squares fit over estimation and event sessions with a dummy for each event "
        f"session, computed by statsmodels. Coefficients and standard errors must equal the prediction errors. {said}"
    )
    return declare_table("dummy_regression", rows, columns, caption=caption)
