"""Sums over every window of one length, at a cost that does not depend on the length.

A running total that is differenced never forgets: after one absurd value its square stays in
the total and eats the digits of all later windows. Here the series is cut into blocks as long
as the window. Every window is then the tail of one block plus the head of the next, so only
numbers inside the window are ever added (van Herk 1992; Gil and Werman 1993, for sums).
"""

from __future__ import annotations

import numpy as np

SHORT_WINDOW = 6  # up to here adding shifted copies is faster than cutting into blocks


def sum_windows(values: np.ndarray, length: int) -> np.ndarray:
    """Sum every run of ``length`` neighbours along the last axis.

    Parameters
    ----------
    values : array (rows, sessions)
        Finite numbers.
    length : int
        Window length, 1..sessions.

    Returns
    -------
    array (rows, sessions - length + 1)
        Entry ``[i, a]`` is ``values[i, a : a + length].sum()``.
    """
    rows, sessions = values.shape
    if not 1 <= length <= sessions:
        raise ValueError(f"A window of {length} sessions does not fit into {sessions}.")
    starts = sessions - length + 1
    if length <= SHORT_WINDOW:
        total = values[:, :starts].copy()
        for shift in range(1, length):
            total += values[:, shift : shift + starts]
        return total
    blocks = -(-sessions // length)
    padded = np.zeros((rows, blocks * length))
    padded[:, :sessions] = values
    cube = padded.reshape(rows, blocks, length)
    head = np.empty((rows, blocks * length + 1))
    np.cumsum(cube, axis=2, out=head[:, 1:].reshape(rows, blocks, length))
    head[:, ::length] = 0.0  # a window that starts a block takes nothing from the next
    tail = np.cumsum(cube[:, :, ::-1], axis=2)[:, :, ::-1].reshape(rows, blocks * length)
    return tail[:, :starts] + head[:, length : sessions + 1]
