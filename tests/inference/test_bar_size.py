"""A short calibration of the tests on bars: they keep their level and power where they claim to.

The long tables come from ``calibration/minute_size.py``; here fewer draws with a fixed seed must agree with the same
values within three joint standard errors.
"""

import numpy as np
import pytest

from calibration.minute_size import (
    EARLIER,
    EARLIER_POWER,
    EARLIER_STORIES,
    EARLIER_STORY_DRAWS,
    FEWER_DRAWS,
    LENGTHS,
    WORLDS,
    MinuteDesign,
    agrees,
    fit_draws,
    measure_power_at_mde,
    measure_sizes,
    measure_stories,
    simulate_bars,
    sum_bars,
)

DRAWS = 1000
LONG = (1, 6, 30)


def differing(rates, earlier, *key, n_draws: int, earlier_draws: int) -> list[str]:
    found = []
    for test in rates.columns:
        for m, value in zip(LENGTHS, earlier.get((*key, test)) or [], strict=False):
            if m in rates.index and value is not None and test in ("deciding", "companion"):
                rate = 100 * rates.at[m, test]
                found += [] if agrees(rate, value, n_draws, earlier_draws) else [f"{test} {m}: {rate} for {value}"]
    return found


@pytest.mark.parametrize("world", ["ordinary", "day x2", "window x2", "jumps", "clusters"])
def test_the_sizes_agree_with_the_long_simulation(world):
    rates = measure_sizes(MinuteDesign(**WORLDS[world]), n_draws=DRAWS, seed=3, lengths=LONG)
    assert differing(rates, EARLIER, 5, 10, world, n_draws=DRAWS, earlier_draws=FEWER_DRAWS) == []


def test_one_minute_bars_keep_their_level_and_their_companion_is_too_cautious():
    rates = measure_sizes(MinuteDesign(minutes=1), n_draws=300, seed=4, lengths=(1, 6))
    assert differing(rates, EARLIER, 1, 10, "ordinary", n_draws=300, earlier_draws=FEWER_DRAWS) == []


def test_the_power_agrees_with_the_long_simulation():
    rates = measure_sizes(MinuteDesign(), n_draws=DRAWS, seed=5, lengths=LONG, effect=5.0)
    assert (
        differing(rates, EARLIER_POWER, 5, 10, "ordinary", 5.0, n_draws=DRAWS, earlier_draws=EARLIER_STORY_DRAWS) == []
    )


@pytest.mark.parametrize("n_bars", [1, 6])
def test_an_effect_of_the_stated_size_is_seen_four_times_in_five(n_bars):
    assert 0.75 <= measure_power_at_mde(MinuteDesign(), n_draws=600, seed=6, n_bars=n_bars)[0] <= 0.85


def test_missing_bars_do_not_move_the_level():
    rates = measure_sizes(MinuteDesign(missing=0.05), n_draws=DRAWS, seed=7, lengths=(1, 6))
    assert differing(rates, EARLIER, 5, 10, "ordinary", n_draws=DRAWS, earlier_draws=FEWER_DRAWS) == []


@pytest.mark.parametrize("key", [(0.0, 0.0, 1.0), (10.0, 1.0, 1.0)])
def test_report_and_denial_are_found_and_reversals_claimed_as_often_as_measured(key):
    (first, own, undone, _), (effect, share, day), n = EARLIER_STORIES[key], key, 200
    found = 100 * measure_stories(effect, share, day=day, n_draws=n, seed=8)
    pairs = [*zip(found["first"], first, strict=True), (found["denial"].iloc[0], own)]
    pairs += zip(found["reversed"], undone or (0, 0, 0), strict=True)
    assert [pair for pair in pairs if not agrees(*pair, n, EARLIER_STORY_DRAWS)] == []


@pytest.mark.parametrize("size", [-6.0, 4.0])
def test_a_jump_of_known_size_at_a_known_minute_is_recovered(size):
    design = MinuteDesign()
    returns, market, first = simulate_bars(design, 400, np.random.default_rng(9))
    jump = size * (np.arange(returns.shape[-1]) == first[:, None])
    found = sum_bars(fit_draws(design, returns, market, jump), first, 3)
    errors = found.estimate - size
    assert abs(errors.mean()) < 3 * errors.std() / 20
    beside = sum_bars(fit_draws(design, returns, market, jump), first + 3, 3)
    assert abs(beside.estimate.mean()) < 3 * beside.estimate.std() / 20
