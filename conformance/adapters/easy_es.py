"""easy-es: ``EventStudy`` on own returns and a market factor with a risk-free rate of zero."""

import pandas as pd
from easy_es import EventStudy
from easy_es.utils import calculate_car_stats

from conformance.hold import Task

PACKAGE = "easy-es"
NOTE = (
    "its windows are made of calendar days and cut to what trades, so that fewer sessions remain; the "
    "mean-adjusted SAR divides by the spread of squared residuals; the Saturday event is not in its "
    "output"
)


def compute(task: Task) -> dict[str, float]:
    """CAR and its standardised form of each event; CAAR with its t."""
    task.require("market", "market_adjusted", whole=False)
    study = EventStudy(
        estimation_days=task.estimation[1] - task.estimation[0] + 1,
        gap_days=task.event[0] - task.estimation[1] - 1,
        window_before=-task.event[0],
        window_after=task.event[1],
        min_estimation_days=3,
        estimator_type="capm" if task.model == "market" else "mam",
        n_cores=1,
    )
    wide = task.returns.set_axis(task.returns.index.date).rename_axis(study.date_col).reset_index()
    long = wide.melt(study.date_col, var_name=study.ticker_col, value_name=study.ret_col)
    study.add_returns(ret_df=long.assign(**{study.volume_col: 1.0}))
    market = wide[[study.date_col, "MKT"]].rename(columns={"MKT": study.mkt_rf_col}).assign(**{study.rf_col: 0.0})
    study.add_factors(market)
    events = task.events.rename(columns={"ticker": study.ticker_col}).assign(
        **{study.event_date_col: pd.to_datetime(task.events["session"])}
    )
    days = study.run_study(events)
    last = days[days[study.offset_col] == task.event[1]].set_index(study.event_id_col)
    names = task.events["event_id"]
    found = {"events_accounted_for": len(last), "events_used": len(last)}
    for k, row in last.iterrows():
        found |= {f"{names[k]}.car": row[study.car_col], f"{names[k]}.t": row[study.scar_col]}
    pooled = calculate_car_stats(days).loc[task.event[1]]
    return found | {"caar": pooled["mean"], "cross_sectional_t": pooled["t_stat"]}
