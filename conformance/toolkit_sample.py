"""The sample that event-study-toolkit ships, by that package and by this project's engine.

python -m conformance.toolkit_sample          needs event-study-toolkit installed beside this project
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from event_impact.events.calendars import load_hours
from event_impact.many.engine import EventWindows, estimate_events
from event_impact.many.layout import BatchPanel, lay_out_model
from event_impact.many.sample import assess_sample
from event_study_toolkit.eventstudy import eventstudy, open_example_data, open_example_events

ESTIMATION, GAP, FIRST, LAST = 100, 10, -2, 2
NAMES = {"car_mean": "caar", "car_t": "cross_sectional_t", "tsign": "sign", "gen_z": "generalized_sign"}
NAMES |= {"tpatell": "patell", "scar_t": "bmp"}


def compute_there() -> pd.Series:
    """The package's own statistics."""
    study = eventstudy(
        ESTIMATION,
        GAP,
        FIRST,
        LAST,
        open_example_data(),
        open_example_events(),
        unique_id="subject_id",
        groups=["CCAR"],
    )
    return study.getFullSampleTestStatistic("market").iloc[0]


def compute_here() -> dict[str, float]:
    """The engine's, on the same returns and market."""
    data, events = open_example_data(), open_example_events()
    wide = data.pivot(index="date", columns="subject_id", values="ret_dlst_adj").sort_index()
    wide = wide.reindex(load_hours("XNYS").between(wide.index[0], wide.index[-1]))  # it lacks four sessions
    market = data.groupby("date")["vwretd"].first().reindex(wide.index).to_numpy()
    design = lay_out_model(
        BatchPanel(wide.index.to_numpy(), tuple(map(str, wide)), wide.to_numpy().T, market), "market"
    )
    windows = EventWindows(FIRST - GAP - ESTIMATION, FIRST - GAP - 1, FIRST, LAST)
    places = wide.columns.get_indexer(events["subject_id"]), wide.index.get_indexer(events["EVT_DATE"])
    estimates = estimate_events(design, *places, windows=windows)
    result = assess_sample(design, estimates, draws=0)
    plain = estimates.car / (estimates.residual_std * np.sqrt(windows.n_event))
    plain = plain[estimates.is_used]
    found = {name: test.statistic for name, test in result.tests.items()}
    found |= {"n": result.n, "caar": result.caar, "patell without forecast error": plain.sum() / np.sqrt(plain.size)}
    return found | {"bmp without forecast error": np.sqrt(plain.size) * plain.mean() / plain.std(ddof=1)}


def main() -> None:
    """Print both."""
    there, here = compute_there(), compute_here()
    print(f"{here['n']} events")
    for theirs, ours in NAMES.items():
        form = f"{ours} without forecast error"
        print(f"| {theirs} | {there[theirs]:.10g} | {ours} | {here[ours]:.10g} | {here.get(form, float('nan')):.10g} |")


if __name__ == "__main__":
    main()
