"""How ``single_firm_garch.json`` was made, without the code under test.

One firm, estimation window rel_sessions -260..-11, a gap of ten, the event at 0. Least squares by
``numpy.linalg.lstsq``; the GARCH likelihood as a literal loop over days, minimised by
Nelder-Mead (``scipy.optimize.minimize``) from 33 starts in the triangle a, b >= 0, a + b <= 0.998;
ranks by counting. Run it in this folder: ``python derive_single_firm_garch.py > single_firm_garch.json``.
"""

import csv
import json
import math
import pathlib

import numpy as np
from scipy import optimize, stats

ROWS = list(csv.DictReader(pathlib.Path(__file__).with_name("single_firm_garch_returns.csv").read_text().splitlines()))
POSITION = {int(row["rel_session"]): i for i, row in enumerate(ROWS)}
FIRM = np.array([float(row["firm"]) for row in ROWS])
MARKET = np.array([float(row["market"]) for row in ROWS])


def variances(squares, a, b, s2):
    """The recursion, one day at a time; one value more than squares."""
    h = [s2]
    for e2 in squares:
        h.append(s2 * (1 - a - b) + a * e2 + b * h[-1])
    return h


def minus_two_log_likelihood(point, e, s2):
    """Literal sum over days; infinite outside the triangle."""
    a, b = point
    if a < 0 or b < 0 or a + b > 0.998:
        return math.inf
    h = variances([x * x for x in e], a, b, s2)
    return sum(math.log(v) + x * x / v for x, v in zip(e, h, strict=False))


def derive():
    """Every number of the JSON file."""
    days = [POSITION[t] for t in range(-260, -10)]
    design = np.column_stack([np.ones(250), MARKET[days]])
    (intercept, beta), *_ = np.linalg.lstsq(design, FIRM[days], rcond=None)
    e = FIRM[days] - intercept - beta * MARKET[days]
    s2 = float(e @ e) / 250
    persistences = (0.1, 0.3, 0.5, 0.7, 0.85, 0.92, 0.96, 0.99)
    starts = [(a, p - a) for a in (0.02, 0.1, 0.2, 0.35, 0.6) for p in persistences if p > a]
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000}
    fits = [
        optimize.minimize(minus_two_log_likelihood, x, args=(list(e), s2), method="Nelder-Mead", options=options)
        for x in starts
    ]
    best = min(fits, key=lambda fit: fit.fun)
    a, b = (float(v) for v in best.x) if best.fun < minus_two_log_likelihood((0.0, 0.0), list(e), s2) else (0.0, 0.0)

    def abnormal(t):
        return float(FIRM[POSITION[t]] - intercept - beta * MARKET[POSITION[t]])

    squares = [x * x for x in e] + [abnormal(t) ** 2 for t in range(-10, 0)]
    h = variances(squares, a, b, s2)
    x = np.array([1.0, MARKET[POSITION[0]]])
    leverage = float(x @ np.linalg.inv(design.T @ design) @ x)
    z = abnormal(0) / math.sqrt(h[-1] * (1 + leverage))
    count = sum(abs(r) / math.sqrt(v) >= abs(z) for r, v in zip(e, h, strict=False))
    s = math.sqrt(float(e @ e) / 248)
    return {
        "estimate": abnormal(0),
        "standard_error": s * math.sqrt(1 + leverage),
        "t": abnormal(0) / (s * math.sqrt(1 + leverage)),
        "p_t": float(2 * stats.t.sf(abs(abnormal(0)) / (s * math.sqrt(1 + leverage)), 248)),
        "market_beta": float(beta),
        "residual_std": s,
        "garch_alpha": a,
        "garch_beta": b,
        "forecast_variance": h[-1],
        "z": z,
        "p_fhs": (1 + count) / 251,
    }


if __name__ == "__main__":
    print(json.dumps(derive(), indent=1))
