"""event-study-toolkit: its market model on a panel of returns, on the calendar of the New York exchange."""

import pandas as pd
from event_study_toolkit.eventstudy import eventstudy

from conformance.hold import Task

PACKAGE = "event-study-toolkit"
NOTE = (
    "returns are merged by firm, so that two events of one firm mix; events with missing returns are used "
    "without a word; the Saturday event is not in its output"
)
NAMES = {
    "tpatell": "patell",
    "car_t": "cross_sectional_t",
    "scar_t": "bmp",
    "tsign": "sign",
    "gen_z": "generalized_sign",
}


def compute(task: Task) -> dict[str, float]:
    """CAR of each event, and the statistics of the whole sample."""
    task.require("market", whole=False)
    number = {ticker: k for k, ticker in enumerate(task.returns)}
    long = task.returns.rename_axis("date").reset_index().melt(["date", "MKT"], var_name="t", value_name="ret_dlst_adj")
    data = long.assign(permno=long["t"].map(number)).rename(columns={"MKT": "vwretd"}).dropna()
    events = pd.DataFrame(
        {"permno": task.events["ticker"].map(number), "EVT_DATE": pd.to_datetime(task.events["session"]), "CCAR": 1}
    )
    gap = task.event[0] - task.estimation[1] - 1
    length = task.estimation[1] - task.estimation[0] + 1
    study = eventstudy(length, gap, *task.event, data, events, groups=["CCAR"])
    cars = study.getCARS("market").drop_duplicates()
    names = dict(zip(zip(events["permno"], events["EVT_DATE"], strict=True), task.events["event_id"], strict=True))
    found = {
        f"{names[key]}.car": row["car"] for row in cars.to_dict("records") for key in [(row["permno"], row["EVT_DATE"])]
    }
    found |= {f"{names[(r['permno'], r['EVT_DATE'])]}.t": r["scar"] for r in cars.to_dict("records")}
    pooled = study.getFullSampleTestStatistic("market").iloc[0]
    found |= {ours: float(pooled[theirs]) for theirs, ours in NAMES.items()}
    return found | {"caar": pooled["car_mean"], "events_used": len(cars), "events_accounted_for": len(cars)}
