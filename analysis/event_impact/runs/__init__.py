"""Runs: notebooks executed, published, listed, compared, verified, every evening.

Enters: requests.
Leaves: folders with a page, results and ``run.json``; the index.
May not: estimate, test or word a finding.
"""
