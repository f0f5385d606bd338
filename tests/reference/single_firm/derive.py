"""Make expected.json from returns.csv in exact rational arithmetic.

Coefficients, residuals and forecast factors of a least-squares fit are rational functions of the data, so
they are computed without any rounding; only square roots and the p-values of the t distribution are not
rational. Run: python tests/reference/single_firm/derive.py
"""

from __future__ import annotations

import csv
import json
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path

getcontext().prec = 50
HERE = Path(__file__).parent
MODELS = {"market_model": ("mkt",), "mm_smb_ind": ("mkt", "smb", "ind")}


def solve(matrix, rhs):
    """Gauss-Jordan elimination with fractions; rhs is a list of columns."""
    n = len(matrix)
    rows = [list(matrix[i]) + [column[i] for column in rhs] for i in range(n)]
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for r in range(n):
            if r != i and rows[r][i] != 0:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [[rows[i][n + c] for i in range(n)] for c in range(len(rhs))]


def least_squares(x, y):
    k = len(x[0])
    cross = [[sum(row[i] * row[j] for row in x) for j in range(k)] for i in range(k)]
    xy = [sum(row[i] * v for row, v in zip(x, y, strict=True)) for i in range(k)]
    return solve(cross, [xy])[0], cross


def root(value: Fraction) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).sqrt()


def text(value) -> str:
    if isinstance(value, Fraction):
        value = Decimal(value.numerator) / Decimal(value.denominator)
    return str(+Decimal(value).quantize(Decimal(1).scaleb(-30)))


def derive(names):
    table = list(csv.DictReader((HERE / "returns.csv").open()))
    x = [[Fraction(1)] + [Fraction(row[n]) for n in names] for row in table]
    y = [Fraction(row["y"]) for row in table]
    before = [i for i, row in enumerate(table) if int(row["t"]) < 0]
    event = [i for i, row in enumerate(table) if int(row["t"]) >= 0]
    x0, y0 = [x[i] for i in before], [y[i] for i in before]
    beta, cross = least_squares(x0, y0)
    residuals = [v - sum(b * r for b, r in zip(beta, row, strict=True)) for row, v in zip(x0, y0, strict=True)]
    n, k = len(x0), len(beta)
    s2 = sum(e * e for e in residuals) / (n - k)
    abnormal = [y[i] - sum(b * r for b, r in zip(beta, x[i], strict=True)) for i in event]

    def factor(i, j):
        weights = solve(cross, [x[j]])[0]
        return (1 if i == j else 0) + sum(a * w for a, w in zip(x[i], weights, strict=True))

    def car(last):
        days = event[: last + 1]
        total = sum(factor(i, j) for i in days for j in days)
        return {"car": text(sum(abnormal[: last + 1])), "se": text(root(s2 * total))}

    refit, _ = least_squares([*x0, x[event[0]]], [*y0, y[event[0]]])
    again = [abs(v - sum(b * r for b, r in zip(refit, row, strict=True))) for row, v in zip(
        [*x0, x[event[0]]], [*y0, y[event[0]]], strict=True)]  # fmt: skip
    a = abnormal[0]
    below = 1 + sum(e <= a for e in residuals)
    above = 1 + sum(e >= a for e in residuals)
    hc0_meat = 0
    weights = solve(cross, [x[event[0]]])[0]
    for row, e in zip(x0, residuals, strict=True):
        hc0_meat += (sum(r * w for r, w in zip(row, weights, strict=True)) * e) ** 2
    return {
        "n": n,
        "k": k,
        "coefficients": [text(b) for b in beta],
        "residual_std": text(root(s2)),
        "abnormal": [text(v) for v in abnormal],
        "standard_errors": [text(root(s2 * factor(i, i))) for i in event],
        "car_0_1": car(1),
        "car_0_2": car(2),
        "sample_quantile_p": str(min(Fraction(1), 2 * Fraction(min(below, above), n + 1))),
        "conformal_p": str(Fraction(sum(f >= again[-1] for f in again), n + 1)),
        "degenerate_hc0_standard_error": text(root(hc0_meat)),
    }


if __name__ == "__main__":
    result = {name: derive(columns) for name, columns in MODELS.items()}
    (HERE / "expected.json").write_text(json.dumps(result, indent=1) + "\n")
