"""Many: many events over many tickers, estimated and tested at once.

Enters: returns of many tickers and a table of events, or the abnormal returns of many stories.
Leaves: estimates of every event, and statistics of the sample that state their null.
May not: format or draw.
"""
