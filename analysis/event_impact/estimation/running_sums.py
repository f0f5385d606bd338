"""One firm, one model, every date: forecasts from running sums of cross products.

For t values alone the estimation windows need not be gathered: X'X, X'y and y'y of any window are differences
of running sums. The columns are centred on their overall means and brought to unit spread first, which keeps
the differences accurate (raw sums lose digits with the level of the series). Left-out sessions have
weight zero, so masks and gaps cost nothing.

Sums over every window of one length, at a cost that does not depend on the length.

A running total that is differenced never forgets: after one absurd value its square stays in
the total and eats the digits of all later windows. Here the series is cut into blocks as long
as the window. Every window is then the tail of one block plus the head of the next, so only
numbers inside the window are ever added (van Herk 1992; Gil and Werman 1993, for sums).
"""

from dataclasses import dataclass

import numpy as np

from event_impact.base.errors import EstimationError


@dataclass(frozen=True)
class RunningSums:
    """Running sums of the products of regressors and response, made once for all windows of a series.

    Attributes
    ----------
    columns : ndarray (T, K + 1)
        Scaled regressors and the centred response, zero where not usable.
    products : ndarray (T + 1, K + 1, K + 1)
        Sums of their outer products over the sessions before each position.
    counts : ndarray (T + 1,)
        Usable sessions before each position.
    """

    columns: np.ndarray
    products: np.ndarray
    counts: np.ndarray


def sum_products(response: np.ndarray, regressors: np.ndarray, *, usable: np.ndarray) -> RunningSums:
    """Prepare the running sums of one series.

    Parameters
    ----------
    response : ndarray (T,)
        Fractions; anything where not usable.
    regressors : ndarray (T, K)
        A constant column among them allows centring.
    usable : ndarray (T,) of bool
        Sessions that count in estimation windows.

    Returns
    -------
    RunningSums
    """
    usable = np.asarray(usable, dtype=bool)
    columns = np.column_stack([np.asarray(regressors, dtype=float), np.asarray(response, dtype=float)])
    known = columns[usable]
    spread = known.std(axis=0)
    is_constant = spread <= 1e-14 * np.abs(known).max(axis=0)
    if is_constant[:-1].any():
        columns = columns - np.where(is_constant, 0.0, known.mean(axis=0))
    size = np.where(is_constant, 1.0, np.where(spread > 0, spread, 1.0))
    columns = columns / size
    weighted = np.where(usable[:, None], columns, 0.0)
    products = np.einsum("ti,tj->tij", weighted, weighted)
    before = np.pad(np.cumsum(products, axis=0), ((1, 0), (0, 0), (0, 0)))
    return RunningSums(columns, before, np.concatenate([[0], np.cumsum(usable)]))


def standardise_from_sums(sums: RunningSums, *, events: np.ndarray, estimation_length: int, gap: int) -> np.ndarray:
    """Forecast every event position from the ``estimation_length`` sessions that end ``gap + 1`` before it.

    Parameters
    ----------
    events : ndarray (n,)
        Positions; their own values must be finite.

    Returns
    -------
    ndarray (n,)
        Prediction error over its standard error, t(L - K) under normal errors.

    Raises
    ------
    EstimationError
        If the regressors of a window are dependent, or it is fitted exactly.
    """
    last = np.asarray(events, dtype=int) - gap
    first = last - estimation_length
    moments = sums.products[last] - sums.products[first]
    k = moments.shape[1] - 1
    df = sums.counts[last] - sums.counts[first] - k
    rows = sums.columns[events]
    cross, response = moments[:, :k, :k], moments[:, :k, k]
    right = np.stack([response, rows[:, :k]], axis=2)
    try:
        solved = np.linalg.solve(cross, right) if k else right
    except np.linalg.LinAlgError as error:
        raise EstimationError("the regressors are linearly dependent in a window.", "Leave one out.") from error
    coefficients = solved[:, :, 0]
    leverage = np.einsum("nk,nk->n", rows[:, :k], solved[:, :, 1])
    total = moments[:, k, k]
    squares = total - np.einsum("nk,nk->n", coefficients, response)
    if (squares <= 1e-12 * total).any():
        raise EstimationError("a window is explained exactly by its regressors.", "Check the series.")
    estimate = rows[:, k] - np.einsum("nk,nk->n", rows[:, :k], coefficients)
    return np.asarray(estimate / np.sqrt(squares / df * (1.0 + leverage)))


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
