"""What a test says of itself.

A statistic carries its null hypothesis, its reference distribution and its p-value.
One that cannot be computed carries the reason, so that no table ever shows a bare blank.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class TestResult:
    """One statistic with its null, its distribution and its p-value.

    Attributes
    ----------
    name : str
        Identifier, the same in text, tables and CSV (``t``, ``conformal``, ``bmp``, ...).
    null : str
        The null hypothesis in words.
    distribution : str
        Reference distribution under the null, e.g. ``t(248)`` or ``ranks of 251 sessions``.
    statistic : float or None
        Value of the statistic; None when it has none (pure ranks) or cannot be computed.
    p_value : float or None
        Two-sided p-value in (0, 1]; None when it cannot be computed.
    df : float or None
        Degrees of freedom where the distribution has them.
    note : str
        Anything the reader must know beside the number; the reason when ``p_value`` is None.
    """

    __test__ = False  # not a pytest class

    name: str
    null: str
    distribution: str = ""
    statistic: float | None = None
    p_value: float | None = None
    df: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for field in ("statistic", "p_value", "df"):
            value = getattr(self, field)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{self.name}: {field} is {value}; use not_computable with a reason.")
        if self.p_value is None and self.statistic is None and not self.note:
            raise ValueError(f"{self.name}: neither a number nor a reason.")

    @property
    def is_computed(self) -> bool:
        """Whether there is a number to show."""
        return self.p_value is not None or self.statistic is not None

    def with_note(self, more: str) -> "TestResult":
        """The same with something more to know; a test that has its reason already keeps it alone."""
        return replace(self, note="; ".join(filter(None, (self.note, more)))) if more and self.is_computed else self

    def _repr_html_(self) -> str:
        return show_tests((self,))


def read_path(row: object, path: str) -> Any:
    """What lies at a dotted path of attributes, keys and places; None where a step has nothing."""
    value: Any = row
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif value is not None:
            value = value[int(part)] if part.isdigit() else getattr(value, part)
    return value


def frame_of(rows: Iterable[object], columns: str) -> pd.DataFrame:
    """One row an object; ``columns`` are names, ``name=path`` where the value lies deeper: ``ci95_low=ci95.0``."""
    names = [column.partition("=")[0] for column in columns.split()]
    return pd.DataFrame([record_of(row, columns) for row in rows], columns=names)


def record_of(row: object, columns: str) -> dict[str, Any]:
    """One row of such a table."""
    pairs = [column.partition("=") for column in columns.split()]
    return {name: read_path(row, path or name) for name, _, path in pairs}


def show_tests(tests: Iterable[TestResult]) -> str:
    """Tests as an HTML table: null, statistic, p and what they are compared with, or the reason why not.

    Parameters
    ----------
    tests : iterable of TestResult

    Returns
    -------
    str
        HTML.
    """
    rows = []
    for test in tests:
        shown = [f"{value:.4g}" if value is not None else "" for value in (test.statistic, test.p_value)]
        reason = test.note if test.is_computed else f"n/a: {test.note}"
        rows.append((test.name, test.null, *shown, test.distribution, reason))
    frame = pd.DataFrame(rows, columns=["test", "null", "statistic", "p", "against", "note"])
    with pd.option_context("display.max_colwidth", None):
        return frame.to_html(index=False)


def not_computable(name: str, reason: str, *, null: str = "") -> TestResult:
    """A test that cannot be computed here, with the reason in words.

    Parameters
    ----------
    name : str
        Of the test.
    reason : str
        Why there is no number; it is printed in its place.
    null : str
        What the test would have asked, in words.

    Returns
    -------
    TestResult
        Without statistic and p.
    """
    return TestResult(name=name, null=null, note=reason)
