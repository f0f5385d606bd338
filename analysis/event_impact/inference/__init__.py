"""Inference: tests of one event that hold their size, intervals, power.

Enters: abnormal returns and model fits.
Leaves: test results that state their null, or why there is none.
May not: read files, the clock, the environment or unseeded randomness; print; plot; format.
"""
