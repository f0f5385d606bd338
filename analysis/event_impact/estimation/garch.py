"""Variance-targeted GARCH(1,1) on least-squares residuals, for many windows at once.

    h_1 = s2 = e'e / L,   h_t = s2 (1 - a - b) + a e_{t-1}^2 + b h_{t-1},   a, b >= 0,   a + b <= 0.998

The parameters maximise the Gaussian quasi-likelihood (Bollerslev 1986; Engle & Mezrich 1996 for the
targeting). The dummy of the event day never enters: with a one-day dummy its residual is zero and
likelihood errors say nothing about it. The search is deterministic: a grid over the triangle of
admissible parameters, then damped Newton steps from the best hills of the grid, each the exact
minimum of a quadratic model over the triangle, so that the bounds need no special case; from the best
of them plain Newton steps until the digits stand, which are then the same on every processor.
"""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from event_impact.base.errors import EstimationError

#: Upper bound of a + b; beyond it the variance target loses its meaning.
MAX_PERSISTENCE = 0.998
#: A start rests once its step in both parameters is below this; its hill is then known.
HILL_STEP = 1e-4
#: The same for the best of them: far below what any result can show.
LAST_STEP = 1e-12
#: Of the trace of the curvature; keeps a flat direction in the triangle.
LEAST_DAMPING = 1e-9
#: Steps allowed; damping that grows tenfold after each failure ends every row long before.
MAX_STEPS = 100
#: Starts per window: the likelihood can have more than one hill.
N_STARTS = 3
#: Windows searched together; bounds memory and keeps a slice in the processor's cache.
CHUNK = 128

# No zero: along alpha = 0 every beta gives the constant variance, a flat edge that would fill the starts.
_GRID_ALPHA = np.array([0.005, 0.015, 0.03, 0.055, 0.09, 0.14, 0.2, 0.28, 0.38, 0.5, 0.65, 0.82])
_GRID_PERSISTENCE = np.array([0.03, 0.15, 0.3, 0.45, 0.6, 0.72, 0.81, 0.88, 0.93, 0.965, 0.985, 0.998])
#: Corners and directions of the three edges; each is walked from 0 to MAX_PERSISTENCE.
_EDGES = (
    (np.array([0.0, 0.0]), np.array([1.0, 0.0])),
    (np.array([0.0, 0.0]), np.array([0.0, 1.0])),
    (np.array([0.0, MAX_PERSISTENCE]), np.array([1.0, -1.0])),
)
#: Factors between two logarithms of the running product of variances; 60 of them cannot overflow.
_LOG_EVERY = 50


@dataclass(frozen=True)
class GarchParameters:
    """alpha and beta of n estimation windows, (n,) each; the variance itself is carried on from them."""

    alpha: np.ndarray
    beta: np.ndarray

    def take(self, rows: np.ndarray | slice) -> "GarchParameters":
        """Those of some windows."""
        return GarchParameters(self.alpha[rows], self.beta[rows])


@dataclass(frozen=True)
class GarchFit(GarchParameters):
    """Conditional variances of n windows and their forecast for the event day.

    Attributes
    ----------
    alpha, beta : ndarray (n,)
        Parameters; alpha = beta = 0 where no GARCH is better than a constant variance.
    target_variance : ndarray (n,)
        s2 = e'e / L, the unconditional variance and the start of the recursion.
    variances : ndarray (n, L)
        h_t of the estimation days, squared fractions.
    forecast_variance : ndarray (n,)
        h of the event day: the recursion carried through the sessions of the gap with their realised
        abnormal returns.
    """

    target_variance: np.ndarray
    variances: np.ndarray
    forecast_variance: np.ndarray

    @property
    def volatility_state(self) -> np.ndarray:
        """Forecast over average standard deviation, sqrt(h_E / s2); above one in a stressed market."""
        return np.asarray(np.sqrt(self.forecast_variance / self.target_variance))

    def forecast_ahead(self, steps: int) -> np.ndarray:
        """h of the session ``steps`` after the event day, made before it: (a + b)^steps of its distance to s2, (n,)."""
        persistence = (self.alpha + self.beta) ** steps
        return np.asarray(self.target_variance + persistence * (self.forecast_variance - self.target_variance))


def fit_garch(residuals: np.ndarray, following: np.ndarray | None = None) -> GarchFit:
    """Estimate every window's GARCH(1,1) and carry its variance to the event day.

    Parameters
    ----------
    residuals : ndarray (n, L)
        Least-squares residuals in order of time; one window may be given as one dimension.
    following : ndarray (n, g), optional
        Realised abnormal returns between the estimation window and the event day, in order. None or
        no columns when the event follows the estimation window at once.

    Returns
    -------
    GarchFit
        Parameters (n,), variances (n, L) and their forecast for the event day (n,), squared fractions.

    Raises
    ------
    EstimationError
        If a residual is not finite or a window has no variation.
    """
    return carry_garch(residuals, following, estimate_garch(residuals))


def estimate_garch(residuals: np.ndarray) -> GarchParameters:
    """GARCH(1,1) parameters of every row of residuals, (n, L)."""
    residuals = np.atleast_2d(np.asarray(residuals, dtype=float))
    _refuse_infinite(residuals)
    target = np.mean(residuals**2, axis=1)
    if not (target > 0).all():
        said = f"Expected residuals that vary, found none in window {int(np.argmin(target))}."
        raise EstimationError(said, "Check the price series.")
    squares = residuals**2 / target[:, None]
    chunks = [_estimate(squares[start : start + CHUNK]) for start in range(0, len(squares), CHUNK)]
    return GarchParameters(*np.concatenate(chunks).T)


def carry_garch(residuals: np.ndarray, following: np.ndarray | None, parameters: GarchParameters) -> GarchFit:
    """The variances of known parameters: through the estimation window and the gap to the event day."""
    residuals = np.atleast_2d(np.asarray(residuals, dtype=float))
    following = np.empty((len(residuals), 0)) if following is None else np.atleast_2d(following)
    _refuse_infinite(following)
    target, alpha, beta = np.mean(residuals**2, axis=1), parameters.alpha, parameters.beta
    path = np.concatenate([residuals, following], axis=1) ** 2 / target[:, None]
    relative = variance_path(path, alpha, beta)
    variances = relative[:, : residuals.shape[1]] * target[:, None]
    return GarchFit(alpha, beta, target, variances, relative[:, -1] * target)


def _refuse_infinite(values: np.ndarray) -> None:
    if not np.isfinite(values).all():
        raise EstimationError("Expected finite residuals for GARCH, found some that are not.", "Check the model fit.")


def variance_path(squares: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """h_t / s2 for t = 1 .. T + 1 from e_t^2 / s2 for t = 1 .. T; (n, T) to (n, T + 1)."""
    drive = (1.0 - alpha - beta)[:, None] + alpha[:, None] * squares
    return np.ascontiguousarray(_recur(beta, np.pad(drive, ((0, 0), (0, 1))).T, start=1.0).T)


def _estimate(squares: np.ndarray) -> np.ndarray:
    """Best (alpha, beta) of each row of squared residuals scaled to mean one, (n, 2)."""
    by_time = np.ascontiguousarray(squares.T)
    starts = _grid_starts(by_time)
    n_starts, n = starts.shape[:2]
    best, loss = _descend(np.tile(by_time, n_starts), starts.reshape(-1, 2))
    loss = loss.reshape(n_starts, n)
    winner = best.reshape(n_starts, n, 2)[np.argmin(loss, axis=0), np.arange(n)]
    # A constant variance has loss 1 per day: sum(log 1 + e^2 / s2) = L.
    constant = loss.min(axis=0) >= len(by_time) - 1e-9
    winner = _polish(by_time, winner)
    return np.where(constant[:, None] | (winner[:, :1] <= 0.0), 0.0, winner)


def _sum_logs(h: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.multiply.reduceat(h, range(0, len(h), _LOG_EVERY), axis=0)).sum(axis=0))


def _loss_with_slopes(by_time: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loss (n,), gradient (2, n) and a positive semi-definite curvature (3, n: aa, ab, bb) at (n, 2) points.

    The curvature is the exact second derivative where that is positive definite; else bb is raised until it is, which
    leaves the bend along beta = 0 exact, where a minimum can lie; where aa is not positive either, the expected one,
    sum_t h'h'^T / h^2.
    """
    if len(points) == 1:  # numpy sums a single column in another order than columns side by side
        loss, gradient, curvature = _loss_with_slopes(by_time.repeat(2, axis=1), points.repeat(2, axis=0))
        return loss[:1], gradient[:, :1], curvature[:, :1]
    alpha, beta = points[:, 0], points[:, 1]
    drive = np.stack([(1.0 - alpha - beta) + alpha * by_time, by_time - 1.0], axis=1)
    h, by_a = _recur(beta, drive, start=np.array([[1.0], [0.0]])).swapaxes(0, 1)
    by_b, by_ab = _recur(beta, np.stack([h - 1.0, by_a], axis=1)).swapaxes(0, 1)
    by_bb = _recur(beta, 2.0 * by_b)
    inverse = 1.0 / h
    ratio = by_time * inverse
    slope = (1.0 - ratio) * inverse
    gradient = np.stack([(slope * by_a).sum(axis=0), (slope * by_b).sum(axis=0)])
    to_a, to_b = by_a * inverse, by_b * inverse
    outer = np.stack([to_a * to_a, to_a * to_b, to_b * to_b])
    bent = np.zeros((3, len(h), 2, len(points)))  # both parts of a second derivative, session by session
    np.multiply(outer, 2.0 * ratio - 1.0, out=bent[:, :, 0])
    np.multiply(slope, by_ab, out=bent[1, :, 1])
    np.multiply(slope, by_bb, out=bent[2, :, 1])
    expected, exact = outer.sum(axis=1), bent.reshape(3, -1, len(points)).sum(axis=1)
    raised = expected[2] + exact[1] ** 2 / np.where(exact[0] > 0, exact[0], np.inf)
    exact[2] = np.where(exact[0] * exact[2] > exact[1] ** 2, exact[2], raised)
    return _sum_logs(h) + ratio.sum(axis=0), gradient, np.where(exact[0] > 0, exact, expected)


def _recur(beta: np.ndarray, drive: np.ndarray, *, start: np.ndarray | float = 0.0) -> np.ndarray:
    """x_1 = start, x_{t+1} = drive_t + beta x_t, in the shape of ``drive``, (L, ..., n)."""
    path = np.empty_like(drive)
    path[0] = start
    if drive.size == len(drive):  # a single window: plain numbers are faster than arrays of one
        slope, steps = float(beta[0]), drive.ravel()[:-1].tolist()
        held = accumulate(steps, lambda before, moved: moved + slope * before, initial=float(path.ravel()[0]))
        return np.array(list(held)).reshape(drive.shape)
    for before, now, moved in zip(path[:-1], path[1:], drive, strict=False):
        np.multiply(before, beta, out=now)
        now += moved
    return path


def _grid_starts(by_time: np.ndarray) -> np.ndarray:
    """The best grid points of each row that are hills of the grid, (N_STARTS, n, 2)."""
    alpha, persistence = np.meshgrid(_GRID_ALPHA, _GRID_PERSISTENCE, indexing="ij")
    beta = persistence - alpha
    inside = beta >= 0.0
    points = np.stack([alpha[inside], beta[inside]], axis=-1)
    n = by_time.shape[1]
    surface = np.full((*alpha.shape, n), np.inf)
    a, b = points[:, :1], np.broadcast_to(points[:, 1:], (len(points), n))
    h = _recur(b, (1.0 - a - b) + a * by_time[:, None], start=1.0)
    surface[inside] = _sum_logs(h) + (by_time[:, None] / h).sum(axis=0)
    padded = np.pad(surface, ((1, 1), (1, 1), (0, 0)), constant_values=np.inf)
    rows, columns = alpha.shape
    neighbours = [(i, j) for i in (0, 1, 2) for j in (0, 1, 2) if (i, j) != (1, 1)]
    around = [padded[i : i + rows, j : j + columns] for i, j in neighbours]
    is_hill = surface <= np.minimum.reduce(around)
    height = np.where(is_hill, surface, surface + 1e6)[inside]
    return points[np.argsort(height, axis=0, kind="stable")[:N_STARTS]]


def _descend(by_time: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Damped Newton steps within the triangle, every row with a damping of its own."""
    points = points.copy()
    loss, gradient, curvature = _loss_with_slopes(by_time, points)
    damping = np.full(len(points), 1e-3)
    active = np.arange(len(points))
    for _ in range(MAX_STEPS):
        here = points[active]
        candidate = _best_in_triangle(here, gradient[:, active], curvature[:, active], damping[active])
        step = np.abs(candidate - here).max(axis=1)
        value, slope, curve = _loss_with_slopes(by_time.take(active, axis=1), candidate)
        better = value < loss[active]
        moved = active[better]
        points[moved], loss[moved] = candidate[better], value[better]
        gradient[:, moved], curvature[:, moved] = slope[:, better], curve[:, better]
        damping[active] = np.where(better, np.maximum(damping[active] / 10.0, LEAST_DAMPING), damping[active] * 10.0)
        active = active[step > HILL_STEP]
        if not active.size:
            break
    return points, loss


def _polish(by_time: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Plain Newton steps from near the minimum while they shrink by half; losses are too flat there to compare."""
    points, active, before = points.copy(), np.arange(len(points)), np.full(len(points), np.inf)
    while active.size:
        here = points[active]
        _, gradient, curvature = _loss_with_slopes(by_time.take(active, axis=1), here)
        candidate = _best_in_triangle(here, gradient, curvature, np.full(len(here), LEAST_DAMPING))
        step = np.abs(candidate - here).max(axis=1)
        shrinks = step < before[active] / 2.0
        points[active[shrinks]], before[active] = candidate[shrinks], step
        active = active[shrinks & (step > LAST_STEP)]
    return points


def _best_in_triangle(here: np.ndarray, gradient: np.ndarray, curvature: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """Exact minimum over the triangle of the damped quadratic model around each point, (n, 2)."""
    trace = curvature[0] + curvature[2] + 1e-12
    aa, ab, bb = curvature[0] + damping * trace, curvature[1], curvature[2] + damping * trace
    determinant = aa * bb - ab * ab
    newton = np.stack([ab * gradient[1] - bb * gradient[0], ab * gradient[0] - aa * gradient[1]]) / determinant
    candidates = [newton.T]
    for start, direction in _EDGES:
        base = start - here
        bent = aa * base[:, 0] + ab * base[:, 1], ab * base[:, 0] + bb * base[:, 1]
        slope = direction[0] * (gradient[0] + bent[0]) + direction[1] * (gradient[1] + bent[1])
        bend = direction[0] ** 2 * aa + 2 * direction[0] * direction[1] * ab + direction[1] ** 2 * bb
        along = np.clip(-slope / bend, 0.0, MAX_PERSISTENCE)
        candidates.append(base + along[:, None] * direction)
    offsets = np.stack(candidates)
    da, db = offsets[..., 0], offsets[..., 1]
    model = gradient[0] * da + gradient[1] * db + 0.5 * (aa * da**2 + 2 * ab * da * db + bb * db**2)
    inside = here + offsets[0]
    is_outside = (inside < 0.0).any(axis=1) | (inside.sum(axis=1) > MAX_PERSISTENCE)
    model[0, is_outside] = np.inf
    chosen = here + offsets[np.argmin(model, axis=0), np.arange(len(here))]
    return np.asarray(np.clip(chosen, 0.0, MAX_PERSISTENCE))
