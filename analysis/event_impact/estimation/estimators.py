"""Ways of finding coefficients other than least squares, all behind one signature.

A model whose id stands in :data:`ESTIMATORS` shares the design, the prediction errors and the windows of every
other model; only its coefficients are found differently. None of these estimators has a standard error
for a single event session (the residual of a one-day dummy is zero under all of them), so inference ranks the event
among residuals and among earlier sessions.

Counterfactuals from other firms: ridge with leave-one-out choice of the penalty, and a synthetic control.

Both are fitted on returns, never on price levels. Neither has a trustworthy standard error for one event day, so
inference ranks the event among refitted residuals.

Prediction errors of estimators other than least squares, on one window or on many.

What the rank tests need: residuals of the estimation window, abnormal returns of the event window and of the gap
before it, and the residuals when the same estimator is fitted on both windows together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from event_impact.base.errors import EstimationError
from event_impact.estimation.rolling import PredictionErrors

#: Ridge penalties tried, per session of standardised regressors.
PENALTIES = tuple(float(p) for p in np.logspace(-3, 4, 36))
#: Every support of the synthetic control is tried, so their number must stay small.
MAX_DONORS = 10
SINGULAR = 1e-12


@dataclass(frozen=True)
class PeerFit:
    """A counterfactual for one firm from the returns of others.

    Attributes
    ----------
    intercept : float
    weights : ndarray (J,)
        In the unit of the returns; donors in the order given.
    penalty : float
        Ridge penalty; 0 for the synthetic control.
    residuals : ndarray (L,)
    """

    intercept: float
    weights: np.ndarray
    penalty: float
    residuals: np.ndarray


def fit_ridge(returns: np.ndarray, donors: np.ndarray, *, penalties: tuple[float, ...] = PENALTIES) -> PeerFit:
    """Ridge on standardised donors, intercept unpenalised, penalty of least leave-one-out error.

    CV(k) = mean[((y - yhat) / (1 - h))^2] with h the diagonal of the smoother 11'/L + Z (Z'Z + k I)^-1 Z'.

    Parameters
    ----------
    returns, donors : ndarray (L,), (L, J)
        Fractions.

    Returns
    -------
    PeerFit
        Weights in units of the donors' returns.

    Raises
    ------
    EstimationError
        For too few sessions, missing values or a donor that never varies.
    """
    y, x = _check(returns, donors)
    mean, spread = x.mean(axis=0), x.std(axis=0)
    if (spread <= SINGULAR).any():
        raise EstimationError("Expected donors that vary, found a constant one.", "Leave it out.")
    z, centred = (x - mean) / spread, y - y.mean()
    left, values, right = np.linalg.svd(z, full_matrices=False)
    projected = left.T @ centred
    shrink = values**2 / (values**2 + np.array(penalties)[:, None])
    fitted, leverage = (shrink * projected) @ left.T, 1.0 / len(y) + shrink @ (left**2).T
    errors = np.mean(((centred - fitted) / (1.0 - leverage)) ** 2, axis=1)  # leaving one out
    penalty = penalties[int(errors.argmin())]
    weights = right.T @ (values / (values**2 + penalty) * projected) / spread
    intercept = float(y.mean() - mean @ weights)
    return PeerFit(intercept, weights, penalty, y - intercept - x @ weights)


def fit_synthetic_control(returns: np.ndarray, donors: np.ndarray) -> PeerFit:
    """Weights w >= 0 with sum 1 that track the firm's demeaned returns best (Abadie, Diamond and Hainmueller 2010).

    The problem is convex; its solution is a least-squares fit with the sum constraint on some subset of the donors,
    so every subset is solved and the best admissible one taken. Exact for up to ten donors.

    Parameters
    ----------
    returns, donors : ndarray (L,), (L, J)
        Fractions.

    Returns
    -------
    PeerFit

    Raises
    ------
    EstimationError
        As :func:`fit_ridge`, or for more than ten donors.
    """
    y, x = _check(returns, donors)
    n_donors = x.shape[1]
    if n_donors > MAX_DONORS:
        raise EstimationError(f"Expected at most {MAX_DONORS} donors, found {n_donors}.", "Choose the closest ones.")
    mean = x.mean(axis=0)
    z, centred = x - mean, y - y.mean()
    cross, response = z.T @ z, z.T @ centred
    best, weights = np.inf, np.zeros(n_donors)
    for size in range(1, n_donors + 1):
        for support in combinations(range(n_donors), size):
            own = _solve_with_unit_sum(cross[np.ix_(support, support)], response[list(support)])
            if own is None or (own < -1e-12).any():
                continue
            full = np.zeros(n_donors)
            full[list(support)] = np.maximum(own, 0.0)
            loss = float(full @ cross @ full - 2 * response @ full)
            if loss < best - 1e-15:
                best, weights = loss, full
    intercept = float(y.mean() - mean @ weights)
    return PeerFit(intercept, weights, 0.0, y - intercept - x @ weights)


def _solve_with_unit_sum(cross: np.ndarray, response: np.ndarray) -> np.ndarray | None:
    """argmin w'Aw/2 - b'w subject to sum w = 1, None where A is singular on the constraint."""
    size = len(response)
    scale = float(np.trace(cross)) / size or 1.0
    bordered = np.zeros((size + 1, size + 1))
    bordered[:size, :size] = cross / scale
    bordered[:size, size] = bordered[size, :size] = 1.0
    try:
        return np.linalg.solve(bordered, np.append(response / scale, 1.0))[:size]
    except np.linalg.LinAlgError:
        return None


def _check(returns: np.ndarray, donors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.asarray(returns, dtype=float), np.asarray(donors, dtype=float)
    if x.ndim != 2 or len(x) != len(y) or x.shape[1] < 1 or len(y) < x.shape[1] + 3:
        said = f"Expected L returns and (L, J) donors with L > J + 2, found shapes {y.shape} and {x.shape}."
        raise EstimationError(said, "Use more sessions.")
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        raise EstimationError("Expected finite returns, found some missing.", "Drop those sessions.")
    return y, x


Array = np.ndarray
#: (n, L) returns and (n, L, K) regressors to (n, K) coefficients, one independent fit a row.
Solve = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: Residuals beyond this many standard deviations are weighted down; 95 % efficient under normal errors (Huber 1981).
HUBER_TUNING = 1.345
#: Median absolute value of a standard normal.
NORMAL_MAD = 0.6744897501960817
#: A row rests once no fitted value moves by more than this share of its scale.
STEP_TOLERANCE = 1e-9
#: After the second the scale is held: the rest is convex and cannot cycle.
MAX_STEPS, FREE_SCALE_STEPS = 400, 60


@dataclass(frozen=True)
class Estimator:
    """How the coefficients of a model are found, and why its forecasts have no standard error."""

    solve: Solve
    why_no_error: str


def solve_huber(returns: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Huber's M-estimator with the scale from the median absolute residual, by reweighted least squares.

    Sessions with a residual beyond 1.345 standard deviations count less, so that a few jumps do not tilt beta.

    Parameters
    ----------
    returns, design : ndarray (n, L), (n, L, K)

    Raises
    ------
    EstimationError
        If the regressors are collinear or a fit does not settle.
    """
    coefficients = _weighted(returns, design, np.ones_like(returns))
    scale = np.empty(len(returns))
    active = np.arange(len(returns))
    for step in range(MAX_STEPS):
        y, x = returns[active], design[active]
        residuals = y - np.einsum("nlk,nk->nl", x, coefficients[active])
        if step < FREE_SCALE_STEPS:
            scale[active] = np.median(np.abs(residuals), axis=1) / NORMAL_MAD
        limit = HUBER_TUNING * np.maximum(scale[active], np.finfo(float).tiny)[:, None]
        found = _weighted(y, x, np.minimum(1.0, limit / np.maximum(np.abs(residuals), limit)))
        moved = np.abs(np.einsum("nlk,nk->nl", x, found - coefficients[active])).max(axis=1)
        coefficients[active] = found
        active = active[moved > STEP_TOLERANCE * scale[active]]
        if not active.size:
            return coefficients
    said = f"the robust fit of window {int(active[0])} does not settle in {MAX_STEPS} steps."
    raise EstimationError(said, "Use model=market.")


def _weighted(returns: np.ndarray, design: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted least squares of every row, by QR of the weighted regressors."""
    root = np.sqrt(weights)[:, :, None]
    q, r = np.linalg.qr(root * design)
    try:
        return np.linalg.solve(r, np.einsum("nlk,nl->nk", q, root[:, :, 0] * returns)[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError as error:
        raise EstimationError("the regressors are linearly dependent.", "Leave one out.") from error


def _solve_each(fit: Callable[[np.ndarray, np.ndarray], PeerFit]) -> Solve:
    """A fit of one window with an intercept of its own as a solver of many; the first regressor is the intercept."""

    def solve(returns: np.ndarray, design: np.ndarray) -> np.ndarray:
        fits = [fit(y, x[:, 1:]) for y, x in zip(returns, design, strict=True)]
        return np.array([np.append(f.intercept, f.weights) for f in fits])

    return solve


RANKED = "the event is ranked instead"
#: Model id to estimator; every other model is least squares. A new one needs a line here, a label and a design.
ESTIMATORS: dict[str, Estimator] = {
    "robust": Estimator(solve_huber, f"a weighted-down session has no standard error of its own: {RANKED}"),
    "ridge": Estimator(_solve_each(fit_ridge), f"shrunken coefficients have no unbiased forecast error: {RANKED}"),
    "synthetic_control": Estimator(
        _solve_each(fit_synthetic_control), f"weights held at zero and one in sum have no normal theory: {RANKED}"
    ),
}


#: Windows solved together; bounds memory.
CHUNK = 256


@dataclass(frozen=True)
class CounterfactualFits(PredictionErrors):
    """Fits of an estimator on n estimation windows and what follows each.

    Attributes
    ----------
    refit : callable
        From a total effect, spread evenly and taken off the event sessions, to the residuals (n, L + m) of the same
        estimator fitted on both windows without a dummy, estimation sessions first.
    """

    refit: Callable[[float], np.ndarray]


def fit_counterfactual(
    y: np.ndarray, design: np.ndarray, solve: Solve, *, estimation: np.ndarray, window: np.ndarray, between: np.ndarray
) -> CounterfactualFits:
    """Fit one window given by positions, (L,), (m,) and (g,), and refit it with the event sessions.

    Parameters
    ----------
    y, design : ndarray (T,), (T, K)
        One firm.
    """
    both = np.concatenate([estimation, window])
    share = np.r_[np.zeros(len(estimation)), np.full(len(window), 1.0 / len(window))]
    coefficients = solve(y[None, estimation], design[None, estimation])

    def error(positions: np.ndarray) -> np.ndarray:
        return np.asarray(y[positions] - design[positions] @ coefficients[0])[None]

    def refit(effect: float) -> np.ndarray:
        returns = (y[both] - effect * share)[None]
        return np.asarray(returns - solve(returns, design[None, both]) @ design[both].T)

    return CounterfactualFits(error(estimation), error(window), error(between), refit)


def solve_rolling(
    y: np.ndarray, design: np.ndarray, solve: Solve, *, events: np.ndarray, estimation_length: int, gap: int
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (n, K) and root mean squared residual (n,) of the estimation window of every event position.

    Parameters
    ----------
    y, design : ndarray (T,), (T, K)
        One firm, fractions.
    solve : callable
        From (L,) and (L, K) to coefficients (K,).
    events : ndarray (n,)
        Positions in ``y``.
    estimation_length, gap : int
        L and the sessions between the estimation window and the event session.

    Returns
    -------
    coefficients : ndarray (n, K)
    spread : ndarray (n,)
        Root mean squared residual, fractions.
    """
    coefficients, spread = [], []
    for start in range(0, len(events), CHUNK):
        rows = events[start : start + CHUNK, None] + np.arange(-gap - estimation_length, -gap)
        b = solve(y[rows], design[rows])
        residuals = y[rows] - np.einsum("nlk,nk->nl", design[rows], b)
        coefficients.append(b)
        spread.append(np.sqrt(np.mean(residuals**2, axis=1)))
    return np.concatenate(coefficients), np.concatenate(spread)


def standardised_sums(
    y: Array, design: Array, coefficients: Array, spread: Array, *, events: Array, first: int, last: int
) -> Array:
    """Sum of the prediction errors over each window in units of sqrt(m) residuals, (n,): ranked, never looked up."""
    rows = events[:, None] + np.arange(first, last + 1)
    errors = y[rows] - np.einsum("nmk,nk->nm", design[rows], coefficients)
    return np.asarray(errors.sum(axis=1) / (spread * np.sqrt(last - first + 1)))
