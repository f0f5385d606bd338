"""Parameters: types, ranges, and refusals in one sentence."""

from __future__ import annotations

import contextlib
import math

import pytest
from event_impact.base.config import PARAMETERS, StudyConfig, format_windows, parse_windows
from event_impact.base.errors import ConfigError
from hypothesis import given
from hypothesis import strategies as st


def test_defaults_survive_the_round_trip():
    config = StudyConfig()
    assert StudyConfig.from_parameters(**config.as_parameters()) == config
    assert list(config.as_parameters()) == list(PARAMETERS)


@pytest.mark.parametrize("text", ["+0:1", "0:+1", "+0:+1", " 0:1 "])
def test_a_plus_before_a_rel_session_changes_nothing(text):
    assert parse_windows("windows", text) == parse_windows("windows", f"{text},2:3")[:1] == ((0, 1),)


def test_text_from_a_command_line_is_parsed():
    config = StudyConfig.from_parameters(estimation_sessions="120", significance="0.01", windows="0:0,-1:3", seed="-4")
    assert config.estimation_sessions == 120
    assert config.significance == 0.01
    assert config.windows == ((0, 0), (-1, 3))
    assert config.seed == -4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("story", "../etc"),
        ("story", "Ford-Xiaomi"),
        ("story", "ford\u2010xiaomi"),
        ("story", "ford-xi\u0430omi"),  # a Cyrillic a
        ("story", ""),
        ("story", "a" * 65),
        ("story", 5),
        ("as_of", "2026-02-30"),
        ("as_of", "13.02.2026"),
        ("as_of", "2026-2-3"),
        ("as_of", "\u0662\u0660\u0662\u0666-02-13"),
        ("as_of", math.nan),
        ("source", ""),
        ("source", "a\x00b"),
        ("benchmark", "spy; rm"),
        ("benchmark", "../SPY"),
        ("model", "ols"),
        ("estimation_sessions", 29),
        ("estimation_sessions", 1001),
        ("estimation_sessions", 100.5),
        ("estimation_sessions", True),
        ("estimation_sessions", "1e2"),
        ("estimation_sessions", math.nan),
        ("gap_sessions", -1),
        ("gap_sessions", math.inf),
        ("windows", "0:0,0:0"),
        ("windows", "2:0,0:0"),
        ("windows", "[0,1]"),
        ("windows", "0-1"),
        ("windows", ""),
        ("windows", 0.0),
        ("windows", "0:1"),  # the headline window is missing
        ("windows", "0:0,0:61"),
        ("windows", "0:0,-11:0"),  # would touch the estimation window
        ("runup", "-11:-1"),
        ("path", "1:5"),
        ("path", "-300:5"),
        ("path", "-5:5,0:1"),
        ("mask", "all"),
        ("equivalence_bound", 2),
        ("equivalence_bound", math.nan),
        ("equivalence_bound", "0.02%"),
        ("significance", 0),
        ("significance", "nan"),
        ("significance", "inf"),
        ("seed", "x"),
        ("colour", "red"),
    ],
)
def test_bad_values_are_refused_with_the_name(name, value):
    with pytest.raises(ConfigError, match=name) as caught:
        StudyConfig.from_parameters(**{name: value})
    assert caught.value.exit_code == 2
    assert caught.value.hint


def test_a_longer_gap_allows_a_longer_window():
    config = StudyConfig.from_parameters(gap_sessions=20, windows="0:0,-15:2")
    assert (-15, 2) in config.windows


@given(st.lists(st.tuples(st.integers(-9, 30), st.integers(0, 30)), min_size=1, max_size=5, unique=True))
def test_windows_round_trip(pairs):
    windows = tuple((first, first + length) for first, length in pairs)
    if len(set(windows)) == len(windows):
        assert parse_windows("windows", format_windows(windows)) == windows


@given(st.text(max_size=20), st.sampled_from(sorted(PARAMETERS)))
def test_no_text_escapes_as_another_error(text, name):
    with contextlib.suppress(ConfigError):  # any other kind of error fails the test
        StudyConfig.from_parameters(**{name: text})
