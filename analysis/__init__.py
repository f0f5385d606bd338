"""Market-event impact study.

    articles -> sessions -> returns -> model -> abnormal returns -> tests -> verdict -> report

Five rooms, in the order in which the data travels: ``events``, ``market``,
``estimation``, ``inference``, ``reporting``. A room imports only rooms to its left.
"""

__version__ = "0.1.0"
