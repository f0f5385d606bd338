"""Expected values of the conformance suite, and what each known mistake would give in their place.

    python -m conformance.derive            writes expected.json

Everything is carried in exact fractions from the decimal returns to the last square root, which is taken with 60
digits; nothing of the package under test and no floating point is used. Formulas: README.md beside this file.
"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from pathlib import Path

from conformance.exact import (
    dot,
    mean,
    midranks,
    p_of_signed_ranks,
    p_of_signs,
    p_of_t,
    p_of_z,
    real,
    root,
    solve,
    spread,
    squares,
)

HERE = Path(__file__).parent
FEWEST_SHARED = 20
PARAMETERS = {"market": 2, "constant_mean": 1, "market_adjusted": 0, "market_adjusted_demeaned": 1}
Figures = dict[str, Decimal]


@dataclass
class Event:
    """One event and its fit; ``reason`` says why it has none."""

    name: str
    ticker: str
    at: int
    reason: str = ""
    days: list[int] = field(default_factory=list)
    residuals: list[Fraction] = field(default_factory=list)
    ar: list[Fraction] = field(default_factory=list)
    s2: Fraction = Fraction(0)
    whole: list[list[Fraction]] = field(default_factory=list)
    cross: list[list[Fraction]] = field(default_factory=list)
    parameters: int = 0
    markets: tuple[list[Fraction], list[Fraction]] = ((), ())  # estimation and event window

    @property
    def length(self) -> int:
        """L_i."""
        return len(self.days)

    @property
    def df(self) -> int:
        """L_i - K."""
        return self.length - self.parameters

    @property
    def car(self) -> Fraction:
        """Sum of the abnormal returns."""
        return sum(self.ar, Fraction(0))

    @property
    def factor(self) -> Fraction:
        """1'C1."""
        return sum((sum(row, Fraction(0)) for row in self.whole), Fraction(0))

    def scar(self) -> Decimal:
        """CAR over its standard error."""
        return real(self.car) / root(self.s2 * self.factor)

    def plain_scar(self) -> Decimal:
        """The same without the forecast error."""
        return real(self.car) / root(self.s2 * len(self.ar))

    def sar(self) -> list[Decimal]:
        """Abnormal returns over their own standard errors."""
        return [real(a) / root(self.s2 * self.whole[t][t]) for t, a in enumerate(self.ar)]


@dataclass
class Case:
    """Inputs and events of one case."""

    name: str
    spec: dict
    sessions: list[str]
    columns: dict[str, list[Fraction | None]]
    rows: list[tuple[str, str, str]]

    @classmethod
    def read(cls, name: str, spec: dict) -> Case:
        """Decimals as fractions, empty cells as None."""
        folder = HERE / "inputs" / spec["inputs"]
        with (folder / "returns.csv").open(encoding="utf-8") as file:
            table = list(csv.reader(file))
        times = spec.get("multiplied_by", 1)
        columns = {
            ticker: [Fraction(row[k + 1]) * times if row[k + 1] else None for row in table[1:]]
            for k, ticker in enumerate(table[0][1:])
        }
        with (folder / "events.csv").open(encoding="utf-8") as file:
            rows = [(r["event_id"], r["ticker"], r["session"]) for r in csv.DictReader(file)]
        return cls(name, spec, [row[0] for row in table[1:]], columns, rows)

    def fit(self) -> list[Event]:
        """Every event of the table, fitted or with a reason."""
        return [self._fit_event(*row) for row in self.rows]

    def _fit_event(self, name: str, ticker: str, session: str) -> Event:
        if session not in self.sessions:
            return Event(name, ticker, -1, "no session")
        at, model, k = self.sessions.index(session), self.spec["model"], PARAMETERS[self.spec["model"]]
        event = Event(name, ticker, at, parameters=k)
        y, m = self.columns[ticker], self.columns["MKT"]
        first, last = self.spec["estimation"]
        asked = range(at + first, at + last + 1)
        event.days = [t for t in asked if y[t] is not None and m[t] is not None]
        window = range(at + self.spec["event"][0], at + self.spec["event"][1] + 1)
        if event.length < max(k + 2, math.ceil(Fraction(9, 10) * len(asked))):
            event.reason = "too few estimation sessions"
        elif any(y[t] is None or m[t] is None for t in window):
            event.reason = "a return of the event window is missing"
        if event.reason:
            return event
        adjusts = model.startswith("market_adjusted")
        outcome = {t: y[t] - (m[t] if adjusts else 0) for t in (*event.days, *window)}
        row = {t: [Fraction(1)] * (k > 0) + [m[t]] * (k == 2) for t in outcome}
        gram = [
            [dot([row[t][a] for t in event.days], [row[t][b] for t in event.days]) for b in range(k)] for a in range(k)
        ]
        moment = [dot([row[t][a] for t in event.days], [outcome[t] for t in event.days]) for a in range(k)]
        b = solve(gram, moment) if k else []
        error = {t: outcome[t] - dot(row[t], b) for t in outcome}
        event.residuals, event.ar = [error[t] for t in event.days], [error[t] for t in window]
        event.markets = [m[t] for t in event.days], [m[t] for t in window]
        event.s2 = dot(event.residuals, event.residuals) / event.df
        event.cross = [[dot(row[t], solve(gram, row[u])) if k else Fraction(0) for u in event.days] for t in window]
        event.whole = [
            [Fraction(t == u) + (dot(row[t], solve(gram, row[u])) if k else 0) for u in window] for t in window
        ]
        return event


def correlate(a: Event, b: Event, *, by_position: bool = False) -> Decimal:
    """Correlation of two events' residuals on the days both have; 1 for one firm, 0 below 20 days."""
    if a.ticker == b.ticker and not by_position:
        return Decimal(1)
    if by_position:
        n = min(a.length, b.length)
        x, y = a.residuals[-n:], b.residuals[-n:]
    else:
        one, other = dict(zip(a.days, a.residuals, strict=True)), dict(zip(b.days, b.residuals, strict=True))
        shared = [t for t in a.days if t in other]
        if len(shared) < FEWEST_SHARED:
            return Decimal(0)
        x, y = [one[t] for t in shared], [other[t] for t in shared]
    mx, my = mean(x), mean(y)
    return real(dot([v - mx for v in x], [v - my for v in y])) / root(squares(x) * squares(y))


def overlap(a: Event, b: Event) -> int:
    """Days that the two event windows share."""
    return max(0, len(a.ar) - abs(a.at - b.at))


def mean_correlations(events: list[Event]) -> Figures:
    """rbar by shared days, and the other ways in which packages average it."""
    pairs, width = list(combinations(events, 2)), len(events[0].ar)
    if not pairs:
        return {"right": Decimal(0)}
    weighted = sum(correlate(a, b) * overlap(a, b) / width for a, b in pairs) / len(pairs)
    sharing = [(a, b) for a, b in pairs if overlap(a, b)]
    found = {
        "right": weighted,
        "residuals paired by position": mean([correlate(a, b, by_position=True) for a, b in pairs]),
        "residuals multiplied, not correlated": mean(
            [real(dot(a.residuals[-n:], b.residuals[-n:])) for a, b in pairs for n in [min(a.length, b.length)]]
        ),
    }
    if sharing:
        found["only pairs that share a day averaged"] = mean([correlate(a, b) for a, b in sharing])
    found["every pair weighted fully"] = mean([correlate(a, b) for a, b in pairs])
    return found


def t_of(values: list, ddof: int = 1) -> Decimal:
    """sqrt(N) mean / sd."""
    centre = mean(values)
    centre = centre if isinstance(centre, Decimal) else real(centre)
    return Decimal(len(values)).sqrt() * centre / spread(values, ddof)


def derive_events(events: list[Event], out: dict[str, Figures]) -> None:
    """Figures of single events: CAR, t, p, ranks of one day."""
    for e in events:
        if e.reason:
            continue
        out[f"{e.name}.car"] = {"right": real(e.car)}
        out[f"{e.name}.n_estimation"] = {"right": Decimal(e.length)}
        ssr, w = e.s2 * e.df, len(e.ar)
        everything = e.residuals + e.ar
        out[f"{e.name}.t"] = {
            "right": e.scar(),
            "no forecast error": e.plain_scar(),
            "no forecast error, variance over L": real(e.car) / root(ssr / e.length * w),
            "no forecast error, variance over L - 1": real(e.car) / root(ssr / (e.length - 1) * w),
            "day variances added, their covariance left out": real(e.car)
            / root(e.s2 * sum(e.whole[t][t] for t in range(w))),
            "variance over estimation and event days": real(e.car) / root(squares(everything) / len(everything) * w),
        }
        right = p_of_t(e.scar(), e.df)
        out[f"{e.name}.p"] = {
            "right": right,
            "normal in place of t": p_of_z(e.scar()),
            "no forecast error, variance over L, L - 1 degrees": p_of_t(
                real(e.car) / root(ssr / e.length * w), e.length - 1
            ),
            "no forecast error": p_of_t(e.plain_scar(), e.df),
            "variance over estimation and event days, L - 1 degrees": p_of_t(
                out[f"{e.name}.t"]["variance over estimation and event days"], e.length - 1
            ),
        }
        if w > e.parameters:
            by_days = out[f"{e.name}.t"]["day variances added, their covariance left out"]
            out[f"{e.name}.p"]["day variances added, W - K degrees"] = p_of_t(by_days, w - e.parameters)
        if w == 1:
            derive_ranks(e, out)


def derive_ranks(e: Event, out: dict[str, Figures]) -> None:
    """Sample quantile, and conformal by the residuals of a fit on L + 1 days."""
    a, n = e.ar[0], e.length + 1
    low, high = sum(r <= a for r in e.residuals), sum(r >= a for r in e.residuals)
    out[f"{e.name}.p_sample_quantile"] = {"right": real(min(Fraction(1), Fraction(2 * (1 + min(low, high)), n)))}
    new = a / e.whole[0][0]
    refitted = [r - h * new for r, h in zip(e.residuals, e.cross[0], strict=True)]
    out[f"{e.name}.p_conformal"] = {"right": real(Fraction(1 + sum(abs(f) >= abs(new) for f in refitted), n))}


def derive_parametric(used: list[Event], out: dict[str, Figures]) -> None:
    """Patell, BMP, cross-sectional, skewness and their forms for shared days."""
    n, w = len(used), len(used[0].ar)
    cars, scars = [e.car for e in used], [e.scar() for e in used]
    plain, days = [e.plain_scar() for e in used], [sum(e.sar()) / Decimal(w).sqrt() for e in used]
    scale = root(sum(Fraction(e.df, e.df - 2) for e in used))
    out["caar"] = {"right": real(mean(cars))}
    out["cross_sectional_t"] = {"right": t_of(cars), "sd with N in place of N - 1": t_of(cars, 0)}
    out["cross_sectional_t.p"] = {
        "right": p_of_t(t_of(cars), n - 1),
        "normal in place of t": p_of_z(t_of(cars)),
    }
    variances = {"right": [e.s2 * e.factor for e in used], "no forecast error": [e.s2 * w for e in used]}
    variances["no forecast error, variance over L"] = [e.s2 * e.df / e.length * w for e in used]
    pools = [e.residuals + e.ar for e in used]
    variances["variance over estimation and event days"] = [squares(p) / len(p) * w for p in pools]
    every = [r for e in used for r in e.residuals]
    variances["one variance of all residuals"] = [squares(every) / len(every) * w] * n
    out["mean_variance_z"] = {name: n * real(mean(cars)) / root(sum(values)) for name, values in variances.items()}
    out["patell"] = {
        "right": sum(scars) / scale,
        "no forecast error, no (L - K)/(L - K - 2)": sum(plain) / Decimal(n).sqrt(),
        "no forecast error": sum(plain) / scale,
        "day by day, their covariance left out": sum(days) / scale,
        "no (L - K)/(L - K - 2)": sum(scars) / Decimal(n).sqrt(),
    }
    inverse = [sum(real(a) / root(e.s2) * root(e.whole[t][t]) for t, a in enumerate(e.ar)) for e in used]
    bmp = {
        "right": t_of(scars),
        "no forecast error": t_of(plain),
        "day by day, their covariance left out": t_of(days),
        "sd with N in place of N - 1": t_of(scars, 0),
        "no forecast error, sd with N": t_of(plain, 0),
        "multiplied by the forecast error in place of divided, sd with N": t_of(inverse, 0),
    }
    out["bmp"] = bmp
    out["bmp.p"] = {
        "right": p_of_t(t_of(scars), n - 1),
        "normal in place of t": p_of_z(t_of(scars)),
        "L - K degrees of freedom": p_of_t(t_of(scars), used[0].df),
    }
    if grand := grand_mean_scars(used):
        bmp["one mean of all markets in the forecast error"] = t_of(grand)
    rbars = mean_correlations(used)
    out["mean_correlation"] = dict(rbars)
    out["kp_bmp"], out["adjusted_patell"] = {}, {}
    for how, r in rbars.items():
        if 1 + (n - 1) * r <= 0 or r >= 1:
            continue
        shared, own = (1 + (n - 1) * r).sqrt(), (1 - r).sqrt()
        for form, value in bmp.items():
            label = "right" if how == form == "right" else ", ".join(x for x in (form, how) if x != "right")
            out["kp_bmp"][label] = value * own / shared
        label = "right" if how == "right" else how
        out["adjusted_patell"][label] = out["patell"]["right"] / shared
        if how == "right":
            out["adjusted_patell"]["with the factor (1 - r) of BMP"] = out["patell"]["right"] * own / shared
    if n > 2:
        s = real(mean(cars)) / spread(cars)
        z3 = real(sum((c - mean(cars)) ** 3 for c in cars)) / spread(cars) ** 3
        g = Decimal(n) / ((n - 1) * (n - 2)) * z3
        out["skewness_adjusted_t"] = {
            "right": Decimal(n).sqrt() * (s + g * s**2 / 3 + g**2 * s**3 / 27 + g / (6 * n)),
            "Johnson's form, without the cubic term": Decimal(n).sqrt() * (s + g * s**2 / 3 + g / (6 * n)),
        }


def grand_mean_scars(used: list[Event]) -> list[Decimal]:
    """SCARs whose forecast error takes the mean of all events' markets for each event's own."""
    if used[0].parameters != 2:
        return []
    centre = mean([m for e in used for m in e.markets[0]])
    found = []
    for e in used:
        w = len(e.ar)
        factor = w + Fraction(w * w, e.length) + sum(m - centre for m in e.markets[1]) ** 2 / squares(e.markets[0])
        found.append(real(e.car) / root(e.s2 * factor))
    return found


def scale_by_event_market(e: Event) -> list[Decimal]:
    """Estimation days over forecast errors whose denominator is the event window's market."""
    centre = mean(e.markets[0])
    below = sum((m - centre) ** 2 for m in e.markets[1])
    return [
        real(r) / root(e.s2 * (1 + Fraction(1, e.length) + (m - centre) ** 2 / below))
        for r, m in zip(e.residuals, e.markets[0], strict=True)
    ]


def derive_time(case: Case, used: list[Event], out: dict[str, Figures]) -> None:
    """Crude dependence and the calendar-time portfolio."""
    w, first = len(used[0].ar), case.spec["estimation"][0]
    asked = case.spec["estimation"][1] - first + 1
    by_day = [[] for _ in range(asked)]
    for e in used:
        for t, r in zip(e.days, e.residuals, strict=True):
            by_day[t - e.at - first].append(r)
    aar = [mean(values) for values in by_day if values]
    variance = squares(aar) / (len(aar) - 1)
    caar = real(mean([e.car for e in used]))
    out["crude_dependence_t"] = {
        "right": caar / root(variance * w * (1 + Fraction(w, len(aar)))),
        "no estimation error": caar / root(variance * w),
    }
    calendar: dict[int, list[Fraction]] = {}
    for e in used:
        for k, a in enumerate(e.ar):
            calendar.setdefault(e.at + k, []).append(a)
    portfolio = [mean(values) for values in calendar.values()]
    if len(portfolio) > 1:
        inflation = real(mean([e.factor for e in used])) / w
        out["calendar_time_t"] = {
            "right": t_of(portfolio) / inflation.sqrt(),
            "no estimation error": t_of(portfolio),
        }


def derive_ranked(used: list[Event], out: dict[str, Figures]) -> None:
    """Signs and ranks."""
    n, w = len(used), len(used[0].ar)
    cars = [e.car for e in used]
    wins, zeros = sum(c > 0 for c in cars), sum(c == 0 for c in cars)
    share = mean([Fraction(sum(r > 0 for r in e.residuals), e.length) for e in used])

    def sign_z(count: int, p: Fraction) -> Decimal:
        return real(count - n * p) / root(n * p * (1 - p))

    half = Fraction(1, 2)
    out["sign"] = {"right": sign_z(wins, half), "a CAR of zero counted as positive": sign_z(wins + zeros, half)}
    out["sign.p"] = {"right": p_of_signs(wins, n), "normal in place of exact": p_of_z(sign_z(wins, half))}
    out["generalized_sign"] = {
        "right": sign_z(wins, share),
        "a CAR of zero counted as positive": sign_z(wins + zeros, share),
    }
    kept = [c for c in cars if c]
    if len(kept) > 1:
        sizes = midranks([abs(c) for c in kept])
        total = sum(r for r, c in zip(sizes, kept, strict=True) if c > 0)
        z = real(total - Fraction(len(kept) * (len(kept) + 1), 4)) / root(sum(r * r for r in sizes) / 4)
        out["wilcoxon"] = {"right": z}
        out["wilcoxon.p"] = {"right": p_of_signed_ranks(sizes, total), "normal in place of exact": p_of_z(z)}
    derive_corrado(used, w, out)
    derive_grank(used, out)


def centred_ranks(rows: list[dict[int, Fraction]]) -> dict[int, list[Fraction]]:
    """U = rank/(1 + M) - 1/2 of every row, by day."""
    by_day: dict[int, list[Fraction]] = {}
    for row in rows:
        for day, rank in zip(row, midranks(list(row.values())), strict=True):
            by_day.setdefault(day, []).append(rank / (len(row) + 1) - Fraction(1, 2))
    return by_day


def derive_corrado(used: list[Event], w: int, out: dict[str, Figures]) -> None:
    """Cumulative rank statistic, with and without the factor for ranks drawn without replacement."""
    rows = [
        {t - e.at: r for t, r in zip(e.days, e.residuals, strict=True)} | {1_000 + k: a for k, a in enumerate(e.ar)}
        for e in used
    ]
    u = centred_ranks(rows)
    scaled = {day: real(sum(v)) / Decimal(len(v)).sqrt() for day, v in u.items()}
    event = [scaled[1_000 + k] for k in range(w)]
    before = [v for day, v in scaled.items() if day < 1_000]
    sizes = {
        "right": (sum(v * v for v in scaled.values()) / len(scaled)).sqrt(),
        "spread from the estimation days alone": (sum(v * v for v in before) / len(before)).sqrt(),
        "spread from the event days alone": (sum(v * v for v in event) / w).sqrt(),
    }
    plain = {how: sum(event) / Decimal(w).sqrt() / size for how, size in sizes.items() if size}
    factor = root(Fraction(len(scaled) - 1, len(scaled) - w))
    out["corrado_plain"] = plain
    out["corrado"] = {"right": plain["right"] * factor, "no factor for ranks without replacement": plain["right"]}


def derive_grank(used: list[Event], out: dict[str, Figures]) -> None:
    """Generalised rank tests: the standardised CAR as one more day."""
    n = len(used)
    scars, plain = [e.scar() for e in used], [e.plain_scar() for e in used]
    forms = {
        "right": [s / spread(scars) for s in scars],
        "SCAR over the standard error of its mean": [s / spread(scars) * Decimal(n).sqrt() for s in scars],
        "no forecast error": [s / spread(plain) for s in plain],
        "SCAR not scaled by its spread": scars,
    }
    own = [[real(r) / root(e.s2) for r in e.residuals] for e in used]
    scaled = dict.fromkeys(forms, own)
    if used[0].parameters == 2:
        label = "no forecast error, days over the event window's market"
        forms[label], scaled[label] = forms["no forecast error"], [scale_by_event_market(e) for e in used]
    for how, star in forms.items():
        rows = [
            dict(zip([t - e.at for t in e.days], days, strict=True)) | {1_000: s}
            for e, days, s in zip(used, scaled[how], star, strict=True)
        ]
        u = centred_ranks(rows)
        total = len(u)
        size = real(sum(Fraction(len(v), n) * mean(v) ** 2 for v in u.values()) / total).sqrt()
        z = real(mean(u[1_000])) / size
        room = total - 1 - z * z
        if room > 0:
            out.setdefault("grank_t", {})[how] = z * (Decimal(total - 2) / room).sqrt()
        counts = [len(row) for row in rows]
        variance = sum(Fraction(m - 1, 12 * (m + 1)) for m in counts)
        out.setdefault("grank_z", {})[how] = real(sum(u[1_000])) / root(variance)


def derive_case(name: str, spec: dict) -> dict[str, Figures]:
    """All figures of a case: {figure: {"right": value, mistake: value, ...}}."""
    case = Case.read(name, spec)
    events = case.fit()
    out: dict[str, Figures] = {"events_accounted_for": {"right": Decimal(len(events))}}
    used = [e for e in events if not e.reason]
    out["events_used"] = {"right": Decimal(len(used))}
    derive_events(events, out)
    if len(used) > 1:
        derive_parametric(used, out)
        derive_time(case, used, out)
        derive_ranked(used, out)
    return out


def tell_apart(figures: Figures) -> dict[str, str]:
    """The right value and the mistakes that change it, in 25 digits."""
    right = figures["right"]
    kept = {k: v for k, v in figures.items() if k == "right" or abs(v - right) > Decimal("1e-6") * max(1, abs(right))}
    return {label: format(value, ".25g") for label, value in kept.items()}


def main() -> None:
    """Write expected.json."""
    suite = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
    cases = {
        name: {figure: tell_apart(values) for figure, values in derive_case(name, spec).items()}
        for name, spec in suite["cases"].items()
    }
    text = json.dumps({"suite": suite["suite"], "cases": cases}, indent=1) + "\n"
    (HERE / "expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
