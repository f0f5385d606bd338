"""Reading: published pages turned into times with their evidence.

Enters: saved pages, feeds and filings.
Leaves: publication intervals with the evidence for each bound, proposals for the registry.
May not: decide what the evidence leaves open; see a price.
"""
