"""Estimation: models of normal returns and the abnormal returns left over.

Enters: returns and arrays.
Leaves: model fits and abnormal returns with their covariance.
May not: read files, the clock, the environment or unseeded randomness; print; plot; format.
"""
