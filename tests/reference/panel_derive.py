"""Exact cross-sectional statistics of ``panel_returns.csv``, written to ``panel_expected.json``.

Seven events, 20 estimation sessions (-22..-3) and 5 event sessions (-2..2), each event with a
market series of its own, all on one calendar. Everything is carried in exact rational numbers
from the decimal returns to the last square root, which is taken with 60 digits; nothing of
``analysis`` and no floating point is used. Run it as ``python tests/reference/panel_derive.py``.
"""

from __future__ import annotations

import csv
import json
from decimal import Decimal, getcontext
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).parent
N, L, W, K = 7, 20, 5, 2
getcontext().prec = 60


def real(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def root(value: Fraction) -> Decimal:
    return real(value).sqrt()


def mean(values):
    return sum(values) / Fraction(len(values))


def variance(values):
    m = mean(values)
    return sum((v - m) ** 2 for v in values) / (len(values) - 1)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def midranks(values):
    return [Fraction(sum(v < x for v in values)) + Fraction(sum(v == x for v in values) + 1, 2) for x in values]


def read_returns():
    firm = [[Fraction(0)] * (L + W) for _ in range(N)]
    market = [[Fraction(0)] * (L + W) for _ in range(N)]
    with (HERE / "panel_returns.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            i, t = int(row["event"]), int(row["rel_session"]) + 22
            firm[i][t], market[i][t] = Fraction(row["firm_return"]), Fraction(row["market_return"])
    return firm, market


class Event:
    """Market model of one event by the textbook formulas."""

    def __init__(self, y, x):
        mx, my = mean(x[:L]), mean(y[:L])
        sxx = sum((v - mx) ** 2 for v in x[:L])
        self.beta = sum((a - mx) * (b - my) for a, b in zip(x[:L], y[:L], strict=True)) / sxx
        self.alpha = my - self.beta * mx
        error = [b - self.alpha - self.beta * a for a, b in zip(x, y, strict=True)]
        self.residuals, self.ar = error[:L], error[L:]
        self.s2 = dot(self.residuals, self.residuals) / (L - K)
        self.day = [1 + Fraction(1, L) + (v - mx) ** 2 / sxx for v in x[L:]]
        self.car = sum(self.ar)
        self.factor = W + Fraction(W * W, L) + sum(v - mx for v in x[L:]) ** 2 / sxx
        self.scar = real(self.car) / root(self.s2 * self.factor)
        self.sar = [real(a) / root(self.s2 * c) for a, c in zip(self.ar, self.day, strict=True)]
        self.scaled = [real(e) / root(self.s2) for e in self.residuals]


def decimal_std(values):
    m = sum(values) / len(values)
    return (sum((v - m) ** 2 for v in values) / (len(values) - 1)).sqrt()


def derive():
    events = [Event(y, x) for y, x in zip(*read_returns(), strict=True)]
    n, cars, scars = Decimal(N), [e.car for e in events], [e.scar for e in events]
    caar, sd2 = mean(cars), variance(cars)
    patell = sum(scars) / root(N * Fraction(L - K, L - K - 2))
    day0 = [e.sar[2] for e in events]
    bmp = n.sqrt() * (sum(scars) / n) / decimal_std(scars)
    rho = [
        real(dot(a.residuals, b.residuals)) / root(dot(a.residuals, a.residuals) * dot(b.residuals, b.residuals))
        for i, a in enumerate(events)
        for b in events[:i]
    ]  # residuals have mean zero
    rbar = sum(rho) / len(rho)
    aar = [mean([e.residuals[t] for e in events]) for t in range(L)]
    z3 = real(sum((c - caar) ** 3 for c in cars)) / root(sd2) ** 3
    g = n / ((n - 1) * (n - 2)) * z3
    s = real(caar) / root(sd2)
    wins = sum(c > 0 for c in cars)
    share = mean([Fraction(sum(r > 0 for r in e.residuals), L) for e in events])
    size_ranks = midranks([abs(c) for c in cars])
    total = sum(r for r, c in zip(size_ranks, cars, strict=True) if c > 0)
    u = [[r / Fraction(L + W + 1) - Fraction(1, 2) for r in midranks(e.residuals + e.ar)] for e in events]
    ubar = [mean([row[t] for row in u]) for t in range(L + W)]
    s_u = root(mean([v * v for v in ubar]))
    spread = decimal_std(scars)
    v = [[r / Fraction(L + 2) - Fraction(1, 2) for r in midranks([*e.scaled, e.scar / spread])] for e in events]
    vbar = [mean([row[t] for row in v]) for t in range(L + 1)]
    big_t = L + 1
    z = real(vbar[L]) / root(mean([q * q for q in vbar]))
    return {
        "intercept": [real(e.alpha) for e in events],
        "market_beta": [real(e.beta) for e in events],
        "residual_variance": [real(e.s2) for e in events],
        "ar": [[real(a) for a in e.ar] for e in events],
        "day_factor": [[real(c) for c in e.day] for e in events],
        "car_factor": [real(e.factor) for e in events],
        "aar_day_0": real(mean([e.ar[2] for e in events])),
        "caar": real(caar),
        "cross_sectional_t": n.sqrt() * real(caar) / root(sd2),
        "patell_day_0": sum(day0) / root(N * Fraction(L - K, L - K - 2)),
        "patell_of_summed_sar": sum(sum(e.sar) for e in events) / root(N * W * Fraction(L - K, L - K - 2)),
        "patell": patell,
        "bmp_day_0": n.sqrt() * (sum(day0) / n) / decimal_std(day0),
        "bmp": bmp,
        "mean_correlation": rbar,
        "kp_bmp": bmp * ((1 - rbar) / (1 + (n - 1) * rbar)).sqrt(),
        "adjusted_patell": patell / (1 + (n - 1) * rbar).sqrt(),
        "crude_dependence_t_plain": real(caar) / root(variance(aar) * W),
        "crude_dependence_t": real(caar) / root(variance(aar) * W * (1 + Fraction(W, L))),
        "corrado_day_0": real(ubar[L + 2]) / s_u,
        "corrado_plain": real(sum(ubar[L:])) / s_u / Decimal(W).sqrt(),
        "corrado": real(sum(ubar[L:])) / s_u / Decimal(W).sqrt() * root(Fraction(L + W - 1, L)),
        "grank_ratio": z,
        "grank_t": z * ((big_t - 2) / (big_t - 1 - z * z)).sqrt(),
        "grank_z": root(Fraction(12 * N * (big_t + 1), big_t - 1)) * real(vbar[L]),
        "generalized_sign": real(wins - N * share) / root(N * share * (1 - share)),
        "sign": real(wins - Fraction(N, 2)) / root(Fraction(N, 4)),
        "skewness_adjusted_t": n.sqrt() * (s + g * s**2 / 3 + g**2 * s**3 / 27 + g / (6 * n)),
        "wilcoxon": real(total - Fraction(N * (N + 1), 4)) / root(sum(r * r for r in size_ranks) / 4),
        "event_0_t_of_car": scars[0],
        "event_0_t_of_first_day": events[0].sar[0],
    }


def plain(value):
    return [plain(v) for v in value] if isinstance(value, list) else format(value, ".25g")


if __name__ == "__main__":
    numbers = {name: plain(value) for name, value in derive().items()}
    (HERE / "panel_expected.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
