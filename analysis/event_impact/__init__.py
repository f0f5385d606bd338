"""Market-event impact study.

    articles -> sessions -> returns -> model -> abnormal returns -> tests -> verdict -> page

The rooms lie in the order in which the data travels; each imports only rooms above it.
"""

__version__ = "0.2.0.dev0"
