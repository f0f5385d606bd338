"""Numbers for the derivation: exact fractions, roots and tail probabilities with 60 digits."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 60
TINY = Decimal(10) ** -58


def real(value: Fraction | int) -> Decimal:
    """A fraction as a decimal of 60 digits."""
    value = Fraction(value)
    return Decimal(value.numerator) / Decimal(value.denominator)


def root(value: Fraction | int) -> Decimal:
    """Its square root."""
    return real(value).sqrt()


def mean(values: Sequence) -> Fraction | Decimal:
    """Arithmetic mean, exact for fractions."""
    return sum(values) / (Fraction(len(values)) if isinstance(values[0], Fraction) else Decimal(len(values)))


def squares(values: Sequence) -> Fraction | Decimal:
    """Sum of squared deviations from the mean."""
    centre = mean(values)
    return sum((v - centre) ** 2 for v in values)


def dot(a: Sequence, b: Sequence) -> Fraction:
    """Sum of products."""
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def spread(values: Sequence, ddof: int = 1) -> Decimal:
    """Standard deviation with n - ddof."""
    total = squares(values) / (len(values) - ddof)
    return total.sqrt() if isinstance(total, Decimal) else root(total)


def midranks(values: Sequence) -> list[Fraction]:
    """Ranks from 1, ties sharing their mean."""
    return [Fraction(2 * sum(v < x for v in values) + sum(v == x for v in values) + 1, 2) for x in values]


def solve(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """Gauss-Jordan elimination."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for k in range(len(rows)):
        pivot = next(i for i in range(k, len(rows)) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i, row in enumerate(rows):
            if i != k:
                rows[i] = [a - row[k] * b for a, b in zip(row, rows[k], strict=True)]
    return [row[-1] for row in rows]


def arctangent(x: Decimal) -> Decimal:
    """Taylor series after halving the angle until it is small."""
    halvings = 0
    while abs(x) > Decimal("0.05"):
        x, halvings = x / (1 + (1 + x * x).sqrt()), halvings + 1
    term, total, k = x, x, 1
    while abs(term) > TINY:
        term, k = -term * x * x, k + 2
        total += term / k
    return total * 2**halvings


PI = 4 * arctangent(Decimal(1))


def p_of_t(statistic: Decimal, df: int) -> Decimal:
    """Two-sided p of Student's t with a whole number of degrees of freedom, a finite sum."""
    theta = arctangent(statistic / Decimal(df).sqrt())
    cos2 = 1 / (1 + statistic * statistic / df)
    sin = statistic / Decimal(df).sqrt() * cos2.sqrt()
    if df == 1:
        return 1 - 2 * abs(theta) / PI
    term = total = cos2.sqrt() if df % 2 else Decimal(1)
    for k in range(3 if df % 2 else 2, df - 1, 2):
        term *= cos2 * Decimal(k - 1) / k
        total += term
    inside = 2 / PI * (theta + sin * total) if df % 2 else sin * total
    return 1 - abs(inside)


def p_of_z(statistic: Decimal) -> Decimal:
    """Two-sided p of a standard normal, by the series of the error function."""
    x = abs(statistic) / Decimal(2).sqrt()
    term, total, k = x, x, 0
    while abs(term) > TINY:
        k += 1
        term = -term * x * x / k
        total += term / (2 * k + 1)
    return 1 - 2 * total / PI.sqrt()


def p_of_signs(wins: int, n: int) -> Decimal:
    """Two-sided exact binomial p at one half."""
    ways = [Fraction(1)]
    for _ in range(n):
        ways = [a + b for a, b in zip([*ways, Fraction(0)], [Fraction(0), *ways], strict=True)]
    low, high = sum(ways[: wins + 1]), sum(ways[wins:])
    return real(min(Fraction(1), 2 * min(low, high) / 2**n))


def p_of_signed_ranks(ranks: Sequence[Fraction], total: Fraction) -> Decimal:
    """Two-sided exact p of Wilcoxon's sum over all sign patterns."""
    ways = {Fraction(0): 1}
    for rank in ranks:
        moved = {value + rank: count for value, count in ways.items()}
        ways = {v: ways.get(v, 0) + moved.get(v, 0) for v in {*ways, *moved}}
    low = sum(count for value, count in ways.items() if value <= total)
    high = sum(count for value, count in ways.items() if value >= total)
    return real(min(Fraction(1), Fraction(2 * min(low, high), 2 ** len(ranks))))
