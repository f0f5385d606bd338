"""Many event dates at once: one least-squares fit per date, all dates in one pass.

A placebo study repeats the same regression on every earlier date of a firm. The windows are
stacked, (n dates, L sessions, K regressors), centred, and factorised together.
"""

from dataclasses import dataclass, replace

import numpy as np

from event_impact.base.errors import EstimationError

Array = np.ndarray
#: A column whose part that is orthogonal to the earlier ones is below this share of its own size is collinear.
COLLINEARITY = 1e-10


@dataclass(frozen=True)
class PredictionErrors:
    """What n fits leave on their estimation windows and on what follows each; equal for every estimator.

    Attributes
    ----------
    residuals : ndarray (n, L)
        Of the estimation window.
    abnormal_returns : ndarray (n, m)
        y - x'b on the event days, b from the estimation window only.
    gap_abnormal_returns : ndarray (n, g)
        y - x'b between the estimation window and the event session, in order of time.
    """

    residuals: np.ndarray
    abnormal_returns: np.ndarray
    gap_abnormal_returns: np.ndarray

    @property
    def n_estimation(self) -> int:
        """Sessions in each estimation window, L."""
        return int(self.residuals.shape[1])

    @property
    def window_length(self) -> int:
        """Sessions in each event window, m."""
        return int(self.abnormal_returns.shape[1])

    @property
    def car(self) -> np.ndarray:
        """Sum of the abnormal returns of each window, (n,)."""
        return np.asarray(self.abnormal_returns.sum(axis=1))


@dataclass(frozen=True)
class WindowFits(PredictionErrors):
    """Least-squares fits on n estimation windows and the abnormal returns that follow each.

    The rows of the design are also kept in coordinates in which X0'X0 is the identity; a
    leverage is then a sum of squares, and a cross-leverage a dot product.

    Attributes
    ----------
    residual_std : ndarray (n,)
        Root of SSR / df.
    df : int
        L - K.
    estimation_coordinates : ndarray (n, L, K)
        Orthonormal columns that span the estimation design.
    window_coordinates : ndarray (n, m, K)
        Event-day rows in the coordinates of ``estimation_coordinates``.
    """

    residual_std: np.ndarray
    df: int
    estimation_coordinates: np.ndarray
    window_coordinates: np.ndarray

    @property
    def estimation_leverage(self) -> np.ndarray:
        """Leverage of each estimation day, (n, L); each row sums to K."""
        return np.asarray(np.einsum("nlk,nlk->nl", self.estimation_coordinates, self.estimation_coordinates))

    @property
    def leverage(self) -> np.ndarray:
        """x'(X0'X0)^-1 x of each event day, (n, m)."""
        return np.asarray(np.einsum("nmk,nmk->nm", self.window_coordinates, self.window_coordinates))

    @property
    def forecast_scale(self) -> np.ndarray:
        """G = I + X1 (X0'X0)^-1 X1', the forecast covariance over s^2, (n, m, m)."""
        return np.asarray(np.eye(self.window_length) + self.window_coordinates @ self.window_coordinates.swapaxes(1, 2))

    @property
    def forecast_std(self) -> np.ndarray:
        """Prediction-error standard deviation of each event day, s sqrt(1 + leverage), (n, m)."""
        return self.residual_std[:, None] * np.sqrt(1.0 + self.leverage)

    @property
    def scar(self) -> np.ndarray:
        """CAR over s sqrt(1'G1), (n,): its days share the estimation error, so not over sqrt(m) s (Salinger 1992)."""
        summed = self.window_coordinates.sum(axis=1)
        spread = np.sqrt(self.window_length + np.einsum("nk,nk->n", summed, summed))
        return np.asarray(self.car / (self.residual_std * spread))

    def take(self, rows: np.ndarray, first: int, last: int) -> "WindowFits":
        """Some windows, cut to the event days first..last counted from 0; those before become the gap."""
        whole = {n: getattr(self, n)[rows] for n in ("residual_std", "residuals", "estimation_coordinates")}
        days = {n: getattr(self, n)[rows, first : last + 1] for n in ("abnormal_returns", "window_coordinates")}
        return replace(self, **whole, **days, gap_abnormal_returns=self.abnormal_returns[rows, :first])


def fit_rolling(
    y: Array, design: Array, *, events: Array, estimation_length: int, gap: int, first: int = 0, last: int = 0
) -> WindowFits:
    """Fit one firm around every event position, each with its own estimation window.

    The estimation window of an event at position E is [E - gap - L, E - gap - 1], the event window
    [E + first, E + last].

    Parameters
    ----------
    y : ndarray (T,)
        Returns of the firm, fractions.
    design : ndarray (T, K)
        Regressors, the constant among them if the model has one; K = 0 for a market-adjusted return.
    events : ndarray (n,)
        Positions in ``y``.
    estimation_length, gap : int
        L and the sessions between the estimation window and the event session.
    first, last : int
        Event window in relative sessions, both ends included.

    Returns
    -------
    WindowFits
        One fit an event position.

    Raises
    ------
    EstimationError
        If a window leaves the sample, if a value in it is not finite, or if a design is collinear.
    """
    y, design = np.asarray(y, dtype=float), np.asarray(design, dtype=float)
    events = np.atleast_1d(np.asarray(events, dtype=int))
    earliest, latest = int(events.min()) - gap - estimation_length, int(events.max()) + last
    if earliest < 0 or latest >= len(y):
        said = f"Expected windows within the {len(y)} returns, found positions {earliest} to {latest}."
        raise EstimationError(said, "Drop the dates whose windows are not complete.")
    estimation = events[:, None] + np.arange(-gap - estimation_length, -gap)
    window = events[:, None] + np.arange(first, last + 1)
    between = events[:, None] + np.arange(-gap, first)
    return fit_windows(y, design, estimation=estimation, window=window, between=between)


def fit_windows(
    y: np.ndarray, design: np.ndarray, *, estimation: np.ndarray, window: np.ndarray, between: np.ndarray | None = None
) -> WindowFits:
    """Fit on arbitrary positions: masked windows, several windows, or one.

    Parameters
    ----------
    y, design : ndarray (T,), (T, K)
        One firm.
    estimation, window : ndarray (n, L), (n, m)
        Positions of the estimation and event days. A single window may be given as one dimension.
    between : ndarray (n, g), optional
        Positions after the estimation window and before the event, through which a variance
        recursion is carried.

    Returns
    -------
    WindowFits
        One fit a window.
    """
    estimation, window = np.atleast_2d(estimation), np.atleast_2d(window)
    between = np.empty((len(estimation), 0), dtype=int) if between is None else np.atleast_2d(between)
    return fit_stack(*((y[days], design[days]) for days in (estimation, window, between)))


#: Returns (n, S) and design (n, S, K) of S sessions of n windows.
Stack = tuple[np.ndarray, np.ndarray]


def fit_stack(estimation: Stack, event: Stack, between: Stack | None = None) -> WindowFits:
    """Fit n windows given as stacked arrays, each with its own design.

    Parameters
    ----------
    estimation, event : (ndarray (n, L), ndarray (n, L, K)), (ndarray (n, m), ndarray (n, m, K))
        Estimation windows and event days.
    between : (ndarray (n, g), ndarray (n, g, K)), optional
        Sessions between the two.

    Returns
    -------
    WindowFits
        One fit a window.

    Raises
    ------
    EstimationError
        If a value is not finite, a design is collinear or a window fits exactly.
    """
    returns, design = estimation
    n, length, n_regressors = design.shape
    between = (np.empty((n, 0)), np.empty((n, 0, n_regressors))) if between is None else between
    _refuse_missing(estimation, event, between)

    constant = np.flatnonzero((design == design[:1, :1]).all(axis=(0, 1)) & (design[0, 0] != 0.0))
    shift, level = np.zeros((n, n_regressors)), np.zeros(n)  # what is taken off costs no digits to a level
    if constant.size:
        shift, level = design.mean(axis=1), returns.mean(axis=1)
        shift[:, constant] = 0.0
    moved, centred = design - shift[:, None, :], returns - level[:, None]
    basis, triangle = np.linalg.qr(moved)
    size, raw = (np.linalg.norm(x, axis=1) for x in (moved, design))
    left = np.abs(np.diagonal(triangle, axis1=1, axis2=2))
    collinear = (left <= COLLINEARITY * size + 1e-14 * raw).any(axis=1)
    if collinear.any():
        said = f"Expected linearly independent regressors, found dependent ones in window {int(np.argmax(collinear))}."
        raise EstimationError(said, "Remove the duplicate, or merge dummies of sessions that coincide.")
    projected = np.einsum("nlk,nl->nk", basis, centred)
    residuals = centred - np.einsum("nlk,nk->nl", basis, projected)
    coefficients = np.linalg.solve(triangle, projected[:, :, None])[:, :, 0]
    moved_event = event[1] - shift[:, None, :]  # by R^-T its rows have squared length x'(X0'X0)^-1 x

    def predict_error(later: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.asarray(later - level[:, None] - np.einsum("nmk,nk->nm", rows - shift[:, None, :], coefficients))

    ssr = np.einsum("nl,nl->n", residuals, residuals)
    exact = ssr <= 1e-24 * np.einsum("nl,nl->n", centred, centred) + np.finfo(float).tiny
    if exact.any():
        said = "Expected returns that the regressors do not explain exactly, found no residual variation in window "
        hint = "Check the series: a constant price or a copy of a regressor cannot be tested."
        raise EstimationError(f"{said}{int(np.argmax(exact))}.", hint)
    return WindowFits(
        residual_std=np.sqrt(ssr / (length - n_regressors)), df=length - n_regressors,
        residuals=residuals, estimation_coordinates=basis, abnormal_returns=predict_error(*event),
        window_coordinates=np.linalg.solve(triangle.swapaxes(1, 2), moved_event.swapaxes(1, 2)).swapaxes(1, 2),
        gap_abnormal_returns=predict_error(*between),
    )  # fmt: skip


def _refuse_missing(*stacks: Stack) -> None:
    for name, values in zip(("returns", "design"), zip(*stacks, strict=True), strict=True):
        for part, array in zip(("estimation window", "event window", "gap"), values, strict=True):
            bad = np.argwhere(~np.isfinite(array))
            if len(bad):
                said = f"Expected finite {name}, found {len(bad)} that are not, the first in the {part} "
                said += f"of window {bad[0][0]} at offset {bad[0][1]}."
                raise EstimationError(said, "Drop the sessions on which a series has no return.")
