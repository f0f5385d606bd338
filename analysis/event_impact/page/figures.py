"""Every figure of the study, from one place; each takes results and returns a ``FigureExhibit``.

``timelines`` draw clock time, ``return_figures`` event time, ``fit_figures`` distributions,
``robustness_figures`` the specification curve, ``activity_figures`` volume and range.
No figure computes a statistic, saves a file or changes a global setting.
"""

from event_impact.page.activity_figures import draw_volume_and_range
from event_impact.page.fit_figures import draw_estimation_scatter, draw_placebo_rank, draw_residual_ranks
from event_impact.page.return_figures import draw_abnormal_path, draw_cumulative, draw_returns
from event_impact.page.robustness_figures import draw_specification_curve
from event_impact.page.timelines import draw_price_and_articles, draw_publication_intervals

__all__ = [
    "draw_abnormal_path",
    "draw_cumulative",
    "draw_estimation_scatter",
    "draw_placebo_rank",
    "draw_price_and_articles",
    "draw_publication_intervals",
    "draw_residual_ranks",
    "draw_returns",
    "draw_specification_curve",
    "draw_volume_and_range",
]
