"""Tables that let a reader check the pipeline: diagnostics of the estimation window, and controls."""

from __future__ import annotations

import pandas as pd

from event_impact.base.result import TestResult
from event_impact.estimation.abnormal import AbnormalReturns, Unmeasured
from event_impact.estimation.dummies import DummyRegression
from event_impact.inference.control_tests import ControlResult
from event_impact.inference.diagnostics import StudyDiagnostics
from event_impact.page.exhibits import TableExhibit
from event_impact.page.format import format_number, format_p, format_percent, format_session, or_reason


def tabulate_diagnostics(found: StudyDiagnostics | Unmeasured) -> TableExhibit:
    """What in the estimation window could spoil the tests."""
    if isinstance(found, Unmeasured):
        empty = pd.DataFrame({"value": [f"n/a: {found.reason}"]}, index=["all"])
        return TableExhibit("diagnostics", empty, "Diagnostics of the estimation window.", empty.reset_index(), "check")
    d = found.diagnostics
    rows: list[tuple[str, str, float | None, float | None, str]] = [
        _test_row("autocorrelation of residuals (Ljung-Box)", d.ljung_box),
        _test_row("autocorrelation of their squares (ARCH LM)", d.arch_lm),
        _test_row("normality (Jarque-Bera)", d.jarque_bera),
        ("kurtosis of residuals", _plain(d.kurtosis), d.kurtosis, None, "3 under a normal"),
        ("skewness of residuals", format_number(d.skewness), d.skewness, None, "0 under a normal"),
        (
            "leverage of the event session",
            _plain(d.event_leverage, 4),
            d.event_leverage,
            None,
            "how far its benchmark return lies from those of the fit, which it did not enter",
        ),
        (
            "largest leverage in the window",
            _plain(d.largest_leverage, 3),
            d.largest_leverage,
            None,
            f"{format_session(found.largest_leverage_session)}; the average is {_plain(found.average_leverage, 3)}",
        ),
        (
            "volatility at the event",
            f"{_plain(d.volatility_state)} times the window's",
            d.volatility_state,
            None,
            "GARCH forecast made at the close before; 1 is the average of the window",
        ),
        *_beta_rows(found),
    ]
    return TableExhibit(
        name="diagnostics",
        cells=pd.DataFrame(
            {
                "value": [value for _, value, *_ in rows],
                "p": [format_p(p) if p is not None else "no test" for *_, p, _ in rows],
                "how to read it": [text for *_, text in rows],
            },
            index=[name for name, *_ in rows],
        ),
        row_header="check",
        caption=(
            "Diagnostics of the estimation window, close to close. The t test needs normal, independent residuals of "
            "constant spread; the rank tests need no normal law, FHS no constant spread. No check here changes a result: "
            "together they say which of the tests to trust."
        ),
        numbers=pd.DataFrame(
            {
                "check": [name for name, *_ in rows],
                "value": [number for _, _, number, *_ in rows],
                "p_value": [p for *_, p, _ in rows],
                "note": [text for *_, text in rows],
            }
        ),
    )


def _beta_rows(found: StudyDiagnostics) -> list[tuple[str, str, float | None, float | None, str]]:
    beta = found.diagnostics.beta_stability
    if beta is None:
        return [("stability of beta", "n/a", None, None, "the model has no slope on a market")]
    first, second = (format_session(s) for s in found.dropped_sessions)
    rows: list[tuple[str, str, float | None, float | None, str]] = [
        ("beta, whole window", _plain(beta.full), beta.full, None, ""),
        ("beta, first half", _plain(beta.first_half), beta.first_half, None, ""),
        ("beta, second half", _plain(beta.second_half), beta.second_half, None, ""),
        _test_row("same coefficients in both halves (Chow)", beta.test),
        (
            "beta without the two sessions of highest leverage",
            _plain(beta.without_two_highest_leverage),
            beta.without_two_highest_leverage,
            None,
            f"{first} and {second}",
        ),
    ]
    doubtful = ", ".join(str(s.date()) for s in found.doubtful_sessions)
    if found.beta_without_doubtful is not None:
        value = found.beta_without_doubtful
        note = f"{doubtful}: closing prints of the benchmark that the data notes call doubtful"
        rows.append(("beta without doubtful closing prints", _plain(value), value, None, note))
    return rows


def _test_row(label: str, test: TestResult) -> tuple[str, str, float | None, float | None, str]:
    return label, _plain(test.statistic or 0.0), test.statistic, test.p_value, f"{test.null}; {test.distribution}"


def _plain(value: float, digits: int = 2) -> str:
    return format_number(value, digits=digits, sign=False)


def tabulate_controls(controls: tuple[ControlResult, ...], significance: float) -> TableExhibit:
    """Sessions on which the tests should reject, and sessions on which they should not."""
    cells = pd.DataFrame(
        {
            "what happened": [c.control.label for c in controls],
            "expected": [c.control.expected.replace("_", " ") for c in controls],
            "abnormal return": [or_reason(c.estimate, format_percent, c.note) for c in controls],
            "p t": [_p(c, "t") for c in controls],
            "p conformal": [_p(c, "conformal") for c in controls],
            "p FHS": [_p(c, "fhs") for c in controls],
            "as expected": [_say(c.is_as_expected(significance)) for c in controls],
        },
        index=[f"{c.control.ticker} {c.control.session.date()}".replace("-", "\u2011") for c in controls],
    )
    none = "" if len(controls) else " n/a: no controls are recorded for this firm up to the as-of session."
    met = sum(c.is_as_expected(significance) is True for c in controls)
    count = f" {met} of {len(controls)} are as expected." if len(controls) else ""
    return TableExhibit(
        name="controls",
        cells=cells,
        row_header="session",
        caption=(
            f"Controls: the same tests on sessions of known news, market model, close to close. A test rejects when the "
            f"larger of the conformal and the FHS p lies below {significance:g}. The sessions were chosen after their "
            f"returns were known, so they check the machinery and say nothing of its error rates.{count}{none}"
        ),
        numbers=pd.DataFrame(
            [
                {
                    "ticker": c.control.ticker,
                    "session": c.control.session,
                    "label": c.control.label,
                    "expected": c.control.expected,
                    "estimate": c.estimate,
                    **{f"p_{name}": c.tests[name].p_value if name in c.tests else None for name in _TESTS},
                    "is_as_expected": c.is_as_expected(significance),
                    "source": c.control.source,
                    "note": c.note,
                }
                for c in controls
            ],
            columns=[
                "ticker", "session", "label", "expected", "estimate", *(f"p_{name}" for name in _TESTS),
                "is_as_expected", "source", "note",
            ],
        ),
    )  # fmt: skip


_TESTS = ("t", "conformal", "fhs")


def _p(control: ControlResult, name: str) -> str:
    test = control.tests.get(name)
    return format_p(test.p_value) if test is not None and test.p_value is not None else "n/a"


def _say(is_as_expected: bool | None) -> str:
    return {True: "yes", False: "no", None: "n/a"}[is_as_expected]


def tabulate_dummies(found: DummyRegression | Unmeasured, abnormal: AbnormalReturns) -> TableExhibit:
    """The abnormal returns as coefficients of one dummy a session, beside the prediction errors."""
    caption = (
        "The same by regression: one least-squares fit over estimation and event sessions with a dummy for each event "
        "session, computed by statsmodels. Coefficients and standard errors must equal the prediction errors."
    )
    if isinstance(found, Unmeasured):
        cells = pd.DataFrame({"value": [f"n/a: {found.reason}"]}, index=["dummies"])
        return TableExhibit(
            name="dummy_regression", cells=cells, row_header="session", caption=caption, numbers=cells.reset_index()
        )
    errors = [float(v) ** 0.5 for v in found.covariance.diagonal()]
    rows = abnormal.table.loc[0 : len(errors) - 1]
    gap = max(abs(float(a) - float(b)) for a, b in zip(found.effects, rows["ar"], strict=True))
    cells = pd.DataFrame(
        {
            "coefficient of the dummy": [format_percent(float(v), digits=4) for v in found.effects],
            "standard error": [format_percent(v, digits=4, sign=False) for v in errors],
            "prediction error": [format_percent(float(v), digits=4) for v in rows["ar"]],
            "forecast error": [format_percent(float(v), digits=4, sign=False) for v in rows["forecast_std"]],
        },
        index=[format_session(s) for s in rows["session"]],
    )
    numbers = pd.DataFrame(
        {
            "rel_session": list(rows.index),
            "session": list(rows["session"]),
            "coefficient": list(found.effects),
            "coefficient_error": errors,
            "ar": list(rows["ar"]),
            "forecast_std": list(rows["forecast_std"]),
        }
    )
    return TableExhibit(
        name="dummy_regression",
        cells=cells,
        row_header="session",
        caption=f"{caption} Largest difference here: {gap:.1e}.",
        numbers=numbers,
    )
