"""Reporting: the verdict in words, figures, tables, provenance, runs and pages.

Enters: results of the other rooms. Leaves: rendered pages, CSV files, ``run.json``.
May not: compute a statistic.
"""
