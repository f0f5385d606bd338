"""Events: what was published when, and which sessions it can have reached.

Enters: the hand-curated tables of ``data/``.
Leaves: stories, articles, alignments, confounders.
May not: see a price.
"""
