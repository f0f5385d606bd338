"""The parameters of a run: typed, validated, and the only home of their defaults and ranges.

The ``parameters`` cell of every notebook, ``impact run -p name=value`` and
:class:`StudyConfig` use the same names. Thresholds live here and nowhere else.
"""

import contextlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from event_impact.base.errors import ConfigError, did_you_mean

STORY_PATTERN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
DATE_PATTERN = re.compile(r"\d{4}-\d{2}-\d{2}")
TICKER_PATTERN = re.compile(r"[A-Z0-9^][A-Z0-9.\-^=]{0,14}")
WINDOW_PATTERN = re.compile(r"([+-]?\d{1,4}):([+-]?\d{1,4})")
FRACTION_PATTERN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MASKS = ("none", "listed")
MODELS = (
    "constant_mean", "market_adjusted", "market_adjusted_demeaned", "market", "capm", "ff3", "carhart", "ff5", "ff5_mom",
    "market_peers", "ridge", "synthetic_control", "garch_market", "lead_lag", "robust",
)  # fmt: skip
# No window may reach further after the event than this.
LAST_WINDOW_SESSION = 60
# Nightly runs serve a story until that many sessions after its last window is complete; then it closes by itself.
KEEP_OPEN_SESSIONS = 10
# Missed evenings that one nightly run makes up for, the latest ones.
CATCH_UP_SESSIONS = 10
# A session counts as recorded by the provider that long after its close.
SETTLE_MINUTES = 30
# Calendar days before the first article that a fetch asks for: enough for placebo sessions.
FETCH_HISTORY_DAYS = 2000
# Share of the eligible specifications that must have the sign of the estimate for an effect.
MIN_SPECIFICATION_SIGN_SHARE = 0.80
# Placebo maxT p of the specification curve below which a detection is an effect.
MAX_T_LEVEL = 0.10
# Lengths that the specification curve goes through, besides those of the run.
CURVE_ESTIMATION_SESSIONS = (120, 250, 500)
CURVE_GAP_SESSIONS = (10, 20)
# Value of ``bar_benchmark`` that asks for a constant mean where the story names a benchmark.
NO_BENCHMARK = "none"
# A move is called small when its size ranks no higher than this among the estimation sessions.
MAX_SMALL_PERCENTILE = 0.5

Window = tuple[int, int]


def check_value(is_sound: bool, name: str, expected: str, found: object, hint: str) -> None:
    """Refuse a value that is not what its parameter expects.

    Raises
    ------
    ConfigError
        Naming the parameter, what it expects and what was found.
    """
    if not is_sound:
        raise ConfigError(f"{name}: expected {expected}, found {found!r}.", hint)


def parse_story(name: str, value: Any) -> str:
    """A story id: lower-case ASCII words joined by hyphens, at most 64 characters."""
    is_id = isinstance(value, str) and len(value) <= 64 and STORY_PATTERN.fullmatch(value) is not None
    expected = "a story id such as ford-xiaomi (lower-case letters, digits, hyphens)"
    check_value(is_id, name, expected, value, "List the stories with: impact stories")
    return str(value)


def parse_date(name: str, value: Any) -> date:
    """A calendar date written YYYY-MM-DD."""
    if isinstance(value, date) and not hasattr(value, "hour"):
        return value
    with contextlib.suppress(ValueError):
        if isinstance(value, str) and DATE_PATTERN.fullmatch(value) and value.isascii():
            return date.fromisoformat(value)
    hint = "For example: --as-of 2026-02-13"
    raise ConfigError(f"{name}: expected a date written YYYY-MM-DD, found {value!r}.", hint)


def parse_int(name: str, value: Any, low: int, high: int) -> int:
    """A whole number within [low, high]."""
    is_whole = isinstance(value, float) and value.is_integer()
    is_text = isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,18}", value) is not None
    is_number = (isinstance(value, int) and not isinstance(value, bool)) or is_whole or is_text
    is_sound = is_number and low <= int(value) <= high
    check_value(is_sound, name, f"a whole number from {low} to {high}", value, "Give one within that range.")
    return int(value)


def parse_fraction(name: str, value: Any, low: float, high: float) -> float:
    """A finite fraction within [low, high]."""
    is_text = isinstance(value, str) and FRACTION_PATTERN.fullmatch(value) is not None
    number = float(value) if is_text or (isinstance(value, (int, float)) and not isinstance(value, bool)) else math.nan
    expected = f"a fraction from {low:g} to {high:g}"
    check_value(low <= number <= high, name, expected, value, "Fractions, not percent: 2 % is 0.02.")
    return number


def parse_windows(name: str, value: Any, *, single: bool = False) -> tuple[Window, ...]:
    """Windows ``first:last`` of rel_sessions, both ends included, joined by commas, or pairs of whole numbers."""
    wanted = "one window first:last" if single else "windows first:last joined by commas"
    example = "-20:10" if single else "0:0,0:1,0:2"
    text = value if isinstance(value, str) else ""
    if isinstance(value, (tuple, list)):
        pairs = (value,) if single else value
        text = ",".join(":".join(map(str, pair)) if isinstance(pair, (tuple, list)) else "" for pair in pairs)
    parts = [part.strip() for part in text.split(",")]
    is_sound = text.isascii() and all(map(WINDOW_PATTERN.fullmatch, parts)) and (len(parts) == 1 or not single)
    check_value(is_sound, name, wanted, value, f"For example: {name}={example}")
    found: list[Window] = []
    for part in parts:
        first, last = map(int, part.split(":"))
        if first > last:
            raise ConfigError(f"{name}: the window {part} ends before it begins.", "Write first:last.")
        if (first, last) in found:
            raise ConfigError(f"{name}: the window {part} is named twice.", "Name each window once.")
        found.append((first, last))
    return tuple(found)


def parse_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """One of a fixed set of words."""
    if not isinstance(value, str) or value not in choices:
        hint = did_you_mean(str(value), choices) or "Choose one of these."
        raise ConfigError(f"{name}: expected one of {', '.join(choices)}, found {value!r}.", hint)
    return value


def parse_one_window(name: str, value: Any) -> Window:
    """One such window."""
    return parse_windows(name, value, single=True)[0]


def parse_benchmark(name: str, value: Any, *words: str) -> str:
    """A ticker, or one of the words that stand in its place; empty for the benchmark that the story names."""
    ticker = "" if value is None else value
    is_sound = isinstance(ticker, str) and (ticker in ("", *words) or TICKER_PATTERN.fullmatch(ticker) is not None)
    check_value(is_sound, name, "a ticker such as SPY", value, "Leave it empty for the story's.")
    return str(ticker)


def parse_source(name: str, value: Any) -> str:
    """``snapshot``, ``auto`` or a path; whether the path exists is checked when it is read."""
    is_sound = isinstance(value, str) and value.strip() != "" and "\x00" not in value
    expected = "snapshot, auto or the path of a CSV or Parquet file or a folder"
    check_value(is_sound, name, expected, value, "For example: --source snapshot")
    return str(value).strip()


def format_windows(windows: tuple[Window, ...]) -> str:
    """The inverse of :func:`parse_windows`."""
    return ",".join(f"{first}:{last}" for first, last in windows)


def parameter(default: Any, parse: Callable[..., Any], *limits: Any) -> Any:
    """A field of :class:`StudyConfig` whose values ``parse`` reads by its name, within limits."""
    return field(default=default, metadata={"parse": parse, "limits": limits})


@dataclass(frozen=True)
class StudyConfig:
    """All parameters of one run, validated when they are made, each alone and together.

    Attributes
    ----------
    story : str
        Id in ``data/stories.csv``.
    as_of : datetime.date
        The last session whose prices may be seen.
    source : str
        ``snapshot``, ``auto`` or a path.
    benchmark : str
        Ticker of the benchmark; empty means the story's own.
    model : str
        Model of normal returns, one of :data:`MODELS`.
    estimation_sessions, gap_sessions : int
        Length of the estimation window and of the gap between it and the event session.
    windows, runup : tuple of (int, int)
        Windows of rel_sessions, both ends included; ``runup`` is shown as a leakage check only.
    path : (int, int)
        What the figures show.
    mask : str
        ``none`` or ``listed`` (leave out sessions of confounders.csv with ``is_masked = yes``).
    equivalence_bound, significance : float
        Fractions.
    seed : int
        Seed of everything that resamples.
    bars : str
        ``snapshot``, ``auto`` or a path; this and what follows concern bars of minutes only.
    bar_minutes, bar_sessions : int
        Length of a bar, and sessions that their model is fitted on.
    bar_benchmark : str
        Ticker; empty means the story's, ``none`` a constant mean.
    after_minutes : int
        Length of the total after the denial.

    Raises
    ------
    ConfigError
        For a value of the wrong type or out of range, or windows that touch the estimation window.

    Examples
    --------
    >>> from event_impact import StudyConfig
    >>> StudyConfig(windows="0:0,0:4", estimation_sessions=120).windows
    ((0, 0), (0, 4))
    >>> StudyConfig(model="nonsense")
    Traceback (most recent call last):
    ...
    event_impact.base.errors.ConfigError: model: expected one of constant_mean, ...
    """

    story: str = parameter("ford-xiaomi", parse_story)
    as_of: date = parameter(date(2026, 2, 13), parse_date)
    source: str = parameter("snapshot", parse_source)
    benchmark: str = parameter("", parse_benchmark)
    model: str = parameter("market", parse_choice, MODELS)
    estimation_sessions: int = parameter(250, parse_int, 30, 1000)
    gap_sessions: int = parameter(10, parse_int, 0, 60)
    windows: tuple[Window, ...] = parameter(((0, 0), (0, 1), (0, 2)), parse_windows)
    runup: tuple[Window, ...] = parameter(((-10, -1), (-5, -1)), parse_windows)
    path: Window = parameter((-20, 10), parse_one_window)
    mask: str = parameter("none", parse_choice, MASKS)
    equivalence_bound: float = parameter(0.02, parse_fraction, 0.001, 0.2)
    significance: float = parameter(0.05, parse_fraction, 0.001, 0.2)
    seed: int = parameter(20260202, parse_int, -(2**62), 2**62)
    bars: str = parameter("snapshot", parse_source)
    bar_minutes: int = parameter(5, parse_int, 1, 60)
    bar_sessions: int = parameter(10, parse_int, 3, 60)
    bar_benchmark: str = parameter("", parse_benchmark, NO_BENCHMARK)
    after_minutes: int = parameter(60, parse_int, 5, 390)

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = entry.metadata["parse"](entry.name, getattr(self, entry.name), *entry.metadata["limits"])
            object.__setattr__(self, entry.name, value)
        lowest, why = -self.gap_sessions, "would overlap the estimation window or leave the study"
        farthest, shown = lowest - self.estimation_sessions, "leaves what the figures can show"
        judged = [(name, window, lowest, why) for name in ("windows", "runup") for window in getattr(self, name)]
        for name, (first, last), least, said in (*judged, ("path", self.path, farthest, shown)):
            if first < least or last > LAST_WINDOW_SESSION:
                told = f"{name}: the window {first}:{last} {said}; allowed is {least}..{LAST_WINDOW_SESSION}."
                raise ConfigError(told, "Choose a shorter window or a longer gap_sessions.")
        if (0, 0) not in self.windows:
            said = "windows: the headline window 0:0 is missing."
            raise ConfigError(said, "Add it: the declared headline is always tested.")
        if self.path[0] > 0 or self.path[1] < 0:
            raise ConfigError(f"path: {self.path[0]}:{self.path[1]} does not hold the event session 0.", "Include 0.")

    @classmethod
    def from_parameters(cls, **parameters: Any) -> "StudyConfig":
        """The parameters by name, as a notebook or a command line gives them.

        Raises
        ------
        ConfigError
            For an unknown name, a value of the wrong type or out of range, or windows that
            touch the estimation window.
        """
        if unknown := sorted(set(parameters) - set(PARAMETERS)):
            hint = f"{did_you_mean(unknown[0], PARAMETERS)} The parameters are: {', '.join(PARAMETERS)}."
            raise ConfigError(f"unknown parameter {', '.join(unknown)}.", hint.strip())
        return cls(**parameters)

    def as_parameters(self) -> dict[str, Any]:
        """The parameters as plain JSON values, in the order of the parameters cell."""
        named = {"windows": self.windows, "runup": self.runup, "path": (self.path,)}
        plain = {name: format_windows(windows) for name, windows in named.items()}
        return vars(self) | plain | {"as_of": self.as_of.isoformat()}

    def replace(self, **changes: Any) -> "StudyConfig":
        """A copy with some parameters changed and everything checked again."""
        return StudyConfig.from_parameters(**{**self.as_parameters(), **changes})

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value)) or "the story&#x27;s"}</td></tr>'
            for name, value in self.as_parameters().items()
        )
        return f"<table><caption>Parameters</caption><tbody>{rows}</tbody></table>"


# The whole list of what a run may be asked.
PARAMETERS = tuple(entry.name for entry in fields(StudyConfig))
