"""myeventstudy: its market model and t test of the mean CAR, written to a spreadsheet and read back."""

import tempfile

import pandas as pd
from myeventstudy.event_analysis import event_study

from conformance.hold import Task

PACKAGE = "myeventstudy"
NOTE = (
    "the market-adjusted CAR is cumulated from the first row of the file; events with missing returns are "
    "used, and the Saturday event moves, without a word"
)
MODELS = {"market": "market", "market_adjusted": "market_adj"}
EARLIER = 260  # it drops a firm with fewer than 240 rows in the year before; these lie before every window


def compute(task: Task) -> dict[str, float]:
    """CAAR with its t and p."""
    task.require(*MODELS, whole=False)
    earlier = pd.bdate_range(end=task.returns.index[0] - pd.Timedelta(days=1), periods=EARLIER)
    returns = pd.concat([pd.DataFrame(0.0, earlier, task.returns.columns), task.returns])
    parts = [
        pd.DataFrame(
            {
                "stockid": name,
                "date": returns.index,
                "eventdate": pd.Timestamp(session),
                "sreturn": returns[ticker].to_numpy(),
                "mreturn": returns["MKT"].to_numpy(),
            }
        )
        for name, ticker, session in task.events.itertuples(index=False)
    ]
    with tempfile.TemporaryDirectory() as folder:
        estimation = (task.estimation[0], task.estimation[1] + 1)
        table = event_study(pd.concat(parts), [task.event], estimation, MODELS[task.model], folder).iloc[0]
    return {"caar": table["Mean CAR"], "cross_sectional_t": table["t_stat"], "cross_sectional_t.p": table["p_value"]}
