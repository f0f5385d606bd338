"""The batch engine on several processes or machines, out of core, by Dask.

Every partition is some tickers. Its worker reads them from the Parquet file of returns, estimates their events
and keeps both; sums of days and of ranks travel back and add up. The mean correlation pairs events across
tickers, so it is partitioned by sessions instead: each block gets what its sessions need of every
partition. A worker that dies takes nothing with it: what it held is read and computed again.
"""

import importlib.util
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from event_impact.base.code_digest import digest_package, read_package
from event_impact.base.errors import ConfigError, DataError
from event_impact.many import file_tables as tables
from event_impact.many import sample as sampling
from event_impact.many.dependence import count_overlaps
from event_impact.many.each_event import estimate_sample, lay_out_sample
from event_impact.many.engine import EventEstimates, EventWindows
from event_impact.many.layout import FACTORS_OF_MODEL, BatchDesign, BatchPanel, lay_out_model
from event_impact.many.residual_correlation import MeanCorrelation, sum_pairs
from event_impact.many.sample_days import add_up, buy_and_hold, gather_day_sums, gather_residual_sums, total_by_session

if TYPE_CHECKING:
    from distributed import Client

ADDRESS = re.compile(r"(tcp|tls|ws|wss|inproc)://\S+")
LOCAL = "local"
CELLS_PER_PARTITION = 4_000_000
"""Ticker-sessions of one partition: 32 MB of returns, some 200 MB while it is worked on."""
PARTITION_SHARE = 0.03
"""Of a worker's memory limit, the cells of one partition in the engine; reading them takes three times as much, beside
the 60 % that Dask lets a worker hold before it spills, and at 80 % it takes no more work."""
PARTITIONS_PER_WORKER = 4
"""At least so many, so that a slow or lost worker leaves work to share."""
SESSIONS_PER_BLOCK = 250
BYTES_PER_CELL = 48
"""Of the engine in one process: frame, panel, window sums and their temporaries."""
MEMORY_SHARE = 0.6
CONNECT_SECONDS = 15


@dataclass(frozen=True)
class Source:
    """Where a worker finds the returns, and how it lays them out.

    ``sessions`` is the calendar of the whole file, so that rel_sessions count the same everywhere.
    """

    returns: Path
    benchmark: str
    model: str
    factors: Path | None
    sessions: pd.DatetimeIndex
    allow_large: bool


@dataclass(frozen=True)
class Partition:
    """Some tickers with their events.

    Attributes
    ----------
    tickers : tuple of str
    positions : int array (events,)
        Places of the events in the whole table.
    ticker, session : int arrays (events,)
        Place among ``tickers``, and column of the calendar.
    controls : array (events,) of tuples of str, optional
    """

    tickers: tuple[str, ...]
    positions: np.ndarray
    ticker: np.ndarray
    session: np.ndarray
    controls: np.ndarray | None = None


@dataclass(frozen=True)
class Worked:
    """A partition as it lies on a worker: its layout and the estimates of its events."""

    design: BatchDesign
    estimates: EventEstimates

    def __sizeof__(self) -> int:
        """What a worker counts before it spills."""
        held = (self.estimates.held or {}).values()
        known = (self.design.outcome, *vars(self.estimates).values(), *held)
        return sum(x.nbytes for x in known if isinstance(x, np.ndarray))


def is_installed() -> bool:
    """Whether the extra ``cluster`` is there."""
    return importlib.util.find_spec("distributed") is not None


def check_scheduler(scheduler: str | None) -> None:
    """Refuse an address that is none, and any where Dask is missing.

    Raises
    ------
    ConfigError
    """
    if scheduler is None:
        return
    if scheduler != LOCAL and not ADDRESS.fullmatch(scheduler):
        raise ConfigError(f"--scheduler {scheduler!r} is no address.", "Write tcp://HOST:8786, or local.")
    if not is_installed():
        raise ConfigError("--scheduler needs Dask.", "Install it: pip install 'event-impact[cluster]'.")


def available_memory() -> int | None:
    """Bytes that this machine can still give, None where the system does not say."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def fits_memory(n_cells: int, available: int | None) -> bool:
    """Whether the engine in one process stays below 60 % of the free memory, at 48 bytes a return."""
    return available is None or n_cells * BYTES_PER_CELL <= MEMORY_SHARE * available


def choose_scheduler(asked: str | None, returns: Path) -> str | None:
    """The scheduler asked for; else a local cluster where the returns do not fit into memory.

    Raises
    ------
    ConfigError
        If a cluster is asked for and the returns are no Parquet file, or Dask is missing.
    DataError
        If the returns do not fit, and Dask is missing.
    """
    check_scheduler(asked)
    is_parquet = returns.suffix.lower() in (".parquet", ".pq")
    if asked is not None:
        if not is_parquet:
            raise ConfigError(f"A cluster reads Parquet, {returns.name} is none.", "Convert the returns to Parquet.")
        return asked
    if not is_parquet or not returns.is_file():
        return None
    if fits_memory(tables.count_cells(returns), available_memory()):
        return None
    if not is_installed():
        hint = "Install event-impact[cluster]: it works through the file in parts."
        raise DataError(f"{returns} does not fit into memory.", hint)
    return LOCAL


@contextmanager
def open_client(scheduler: str) -> Iterator["Client"]:
    """A client of a running scheduler, or of a cluster of this machine's processors.

    Raises
    ------
    DataError
        If no scheduler answers, it has no worker, or the workers hold other code than this process.
    """
    from distributed import Client, LocalCluster

    if scheduler == LOCAL:
        with (
            LocalCluster(
                n_workers=os.cpu_count() or 1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError) as error:
        raise DataError(f"No scheduler answers at {scheduler}.", "Start one: dask scheduler.") from error
    with client, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")  # the events of a partition travel with its task
        check_workers(client)
        yield client


def check_workers(client: "Client") -> None:
    """Every worker runs the code of this process.

    Raises
    ------
    DataError
        If there is no worker, or one holds another ``event_impact``.
    """
    held, here = client.run(read_package), digest_package()
    if not held:
        raise DataError("The scheduler has no worker.", "Start some: dask worker ADDRESS.")
    other = [address for address, digest in held.items() if digest != here]
    if other:
        said = f"{len(other)} of {len(held)} workers run other code, the first is {other[0]}."
        raise DataError(said, "Install the same version on all of them.")


def cut_partitions(
    tickers: Sequence[str],
    ticker_index: np.ndarray,
    session_index: np.ndarray,
    *,
    n_sessions: int,
    limits: Sequence[float],
    controls: np.ndarray | None = None,
) -> list[Partition]:
    """Split the tickers that have events into runs of bounded size, with their events; ``limits`` are workers' bytes."""
    placed = np.flatnonzero((ticker_index >= 0) & (session_index >= 0))
    order = placed[np.argsort(ticker_index[placed], kind="stable")]
    used = np.unique(ticker_index[order])
    cells = min(CELLS_PER_PARTITION, PARTITION_SHARE * min(limits, default=math.inf) / BYTES_PER_CELL)
    per_partition = max(1, int(cells) // max(1, n_sessions))
    n_parts = min(used.size, max(-(-used.size // per_partition), PARTITIONS_PER_WORKER * max(1, len(limits))))
    parts = []
    for run in np.array_split(used, n_parts) if n_parts else []:
        low, high = np.searchsorted(ticker_index[order], [run[0], run[-1] + 1])
        positions = order[low:high]
        parts.append(
            Partition(
                tickers=tuple(tickers[i] for i in run),
                positions=positions,
                ticker=np.searchsorted(run, ticker_index[positions]).astype(np.int32),
                session=session_index[positions].astype(np.int32),
                controls=None if controls is None else controls[positions],
            )
        )
    return parts


def work_on(source: Source, partition: Partition, windows: EventWindows) -> Worked:
    """On a worker: read the tickers of a partition and estimate its events."""
    controls = () if partition.controls is None else {name for names in partition.controls for name in names}
    wanted = list(dict.fromkeys((*partition.tickers, source.benchmark, *sorted(controls))))
    returns = tables.read_returns(source.returns, allow_large=source.allow_large, tickers=wanted)
    returns, _ = tables.set_aside_impossible(returns, allow_large=source.allow_large)
    returns = returns.reindex(index=source.sessions, columns=wanted)
    factors = tables.read_factors(source.factors, source.model) if source.factors else None
    tables.check_benchmark(returns, source.benchmark, source.returns)
    panel = tables.build_panel(returns, benchmark=source.benchmark, factors=factors)
    design = lay_out_model(panel, source.model)
    places = partition.ticker, partition.session
    return Worked(design, estimate_sample(design, *places, windows=windows, controls=partition.controls))


def drop_days(worked: Worked) -> EventEstimates:
    """The estimates of a partition without their days and their models."""
    blank: dict[str, Any] = dict.fromkeys(("outcome_mean", "slopes", "regressor_means", "cholesky"), np.empty((0, 0)))
    return replace(worked.estimates, held=None, **blank)


def pick(worked: Worked, chosen: np.ndarray) -> EventEstimates:
    """The estimates of the events of a partition where ``chosen`` is true."""
    return worked.estimates.select(np.flatnonzero(chosen))


def run_task(worked: Worked, chosen: np.ndarray, task: Callable[..., Any], more: dict[str, Any]) -> Any:
    """On a worker: a task of layout and estimates, for some events."""
    return task(worked.design, pick(worked, chosen), **more)


def sum_sessions(design: BatchDesign, chosen: EventEstimates) -> np.ndarray:
    """Summed outcome of some used events by session, beside the shared regressors."""
    return sampling.lay_out_portfolio(design, total_by_session(design, chosen))


def cut_sessions(worked: Worked, chosen: np.ndarray, first: int, stop: int) -> Worked:
    """What the events of sessions ``first`` to ``stop - 1``, and those whose windows reach in, need of a partition."""
    windows = worked.estimates.windows
    events = pick(worked, chosen)
    near = (events.session_index >= first - windows.n_event + 1) & (events.session_index < stop)
    events = events.select(np.flatnonzero(near))
    low = max(first - windows.n_event + 1 + windows.estimation_first, 0)
    columns = slice(low, min(stop + windows.event_last, worked.design.outcome.shape[1]))
    rows, local = np.unique(events.ticker_index, return_inverse=True)
    regressors = tuple(np.ascontiguousarray(x[:, columns]) for x in worked.design.regressors)
    held: dict[str, Any] = {"regressors": regressors, "subtracted": worked.design.subtracted[:1, columns]}
    held["outcome"] = np.ascontiguousarray(worked.design.outcome[rows, columns])
    design = replace(worked.design, **held, instrument=None, panel=None)  # only residuals are wanted, the slopes known
    return Worked(
        design, replace(events, ticker_index=local.astype(np.int64), session_index=events.session_index - low)
    )


def correlate_block(cuts: list[Worked], first: int) -> tuple[float, int]:
    """Sum of rho_ij o_ij over pairs whose later event falls into a block, and those too short."""
    cuts = [cut for cut in cuts if cut.estimates.car.size]
    if not cuts:
        return 0.0, 0
    design, estimates = stack(cuts)
    windows = estimates.windows
    return sum_pairs(design, estimates, first - max(first - windows.n_event + 1 + windows.estimation_first, 0))


def stack(cuts: list[Worked]) -> tuple[BatchDesign, EventEstimates]:
    """Several partitions of the same sessions as one."""
    design = replace(cuts[0].design, outcome=np.concatenate([cut.design.outcome for cut in cuts]))
    offsets = np.cumsum([0, *(cut.design.outcome.shape[0] for cut in cuts[:-1])])
    return design, join([cut.estimates for cut in cuts], offsets)


def join(parts: list[EventEstimates], offsets: Sequence[int] | np.ndarray) -> EventEstimates:
    """Estimates of several partitions one after the other; ``offsets`` move their ticker places."""
    fields: dict[str, Any] = {}
    for name, value in vars(parts[0]).items():
        if isinstance(value, np.ndarray):
            fields[name] = np.concatenate([vars(part)[name] for part in parts], axis=-1)
    days = [part.held for part in parts if part.held is not None]
    fields["held"] = {name: np.concatenate([held[name] for held in days]) for name in days[0]} if days else None
    moved = [part.ticker_index + offset for part, offset in zip(parts, offsets, strict=True)]
    return replace(parts[0], **{**fields, "ticker_index": np.concatenate(moved)})


class ClusterEngine:
    """A batch laid out over the workers of a client.

    Parameters
    ----------
    client : distributed.Client
    source : Source
    tickers : sequence of str
        All tickers of the file.
    ticker_index, session_index : int arrays (events,)
        Place of every event, -1 where there is none.
    windows : EventWindows
    controls : array (events,) of tuples of str, optional
    """

    def __init__(
        self,
        client: "Client",
        source: Source,
        tickers: Sequence[str],
        ticker_index: np.ndarray,
        session_index: np.ndarray,
        *,
        windows: EventWindows,
        controls: np.ndarray | None = None,
    ) -> None:
        self._client = client
        self._source = source
        self._windows = windows
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        limits = [worker["memory_limit"] or math.inf for worker in workers]
        self.partitions = cut_partitions(
            tickers, ticker_index, session_index, n_sessions=len(source.sessions), limits=limits, controls=controls
        )
        self._worked = [client.submit(work_on, source, part, windows, pure=False) for part in self.partitions]
        self._places = (np.asarray(ticker_index, dtype=np.int64), np.asarray(session_index, dtype=np.int64))
        self.estimates = replace(self._gather_estimates(), controls=controls)

    def _gather_estimates(self) -> EventEstimates:
        """All events in the order of the table; those without a place keep their reason."""
        design, (tickers, sessions) = self._lay_out_nothing(), self._places
        whole = lay_out_sample(design, np.minimum(tickers, 0), sessions, windows=self._windows, keep_model=False)
        for partition, worked in zip(self.partitions, self._worked, strict=True):  # all at once would not fit a worker
            part = self._client.submit(drop_days, worked, pure=False).result()
            for name, value in vars(part).items():
                is_whole = isinstance(value, np.ndarray) and value.shape[-1] == partition.positions.size
                if is_whole and name not in ("ticker_index", "session_index", "controls"):
                    getattr(whole, name)[..., partition.positions] = value
        return replace(whole, ticker_index=self._places[0], session_index=self._places[1])

    def _lay_out_nothing(self) -> BatchDesign:
        """An empty layout of the same calendar and model, for events that have no place."""
        sessions, model = self._source.sessions.to_numpy(), self._source.model
        blank = np.zeros(sessions.size)
        factors = dict.fromkeys(FACTORS_OF_MODEL.get(model, ()), blank)
        return lay_out_model(BatchPanel(sessions, ("",), blank[None] * np.nan, blank, factors), model)

    def _submit(self, task: Callable[..., Any], chosen: list[np.ndarray], *more: Any) -> list[Any]:
        """One task a partition that has any of the chosen events."""
        return [
            self._client.submit(task, worked, held, *more, pure=False)
            for worked, held in zip(self._worked, chosen, strict=True)
            if held.any()
        ]

    def judge(self) -> sampling.EventPValues:
        """The tests of single events, in the order of the table."""
        everything = [np.ones(part.positions.size, dtype=bool) for part in self.partitions]
        found = self._submit(run_task, everything, sampling.judge_events, {})
        return sampling.EventPValues(*self._scatter(everything, found, 3).T)

    def _scatter(self, chosen: list[np.ndarray], futures: list[Any], *shape: int) -> np.ndarray:
        """Numbers of the chosen events of each partition, one row an event of the table; NaN for the others."""
        held = [part.positions[each] for part, each in zip(self.partitions, chosen, strict=True) if each.any()]
        whole = np.full((self._places[0].size, *shape), np.nan)
        for where, future in zip(held, futures, strict=True):
            whole[where] = np.transpose(future.result())
        return whole

    def assess(
        self,
        among: np.ndarray | None = None,
        *,
        draws: int,
        seed: int,
        on_progress: Callable[[int], object] | None = None,
    ) -> sampling.SampleResult:
        """Every statistic of the used events, or of those among some positions.

        The same as :func:`event_impact.many.sample.assess_sample` up to rounding.
        """
        is_chosen = self.estimates.is_used
        if among is not None:
            is_chosen = is_chosen & np.isin(np.arange(is_chosen.size), among)
        positions = np.flatnonzero(is_chosen)
        if positions.size == 0:
            return sampling.assess_sample(
                self._lay_out_nothing(), self.estimates.select(positions), draws=draws, seed=seed
            )
        chosen = [is_chosen[part.positions] for part in self.partitions]
        sample = self.estimates.select(positions)
        pairs = self._start_correlation(chosen, sample)
        sums = add_up((part.result() for part in self._submit(run_task, chosen, gather_day_sums, {})), on_progress)
        futures = self._submit(run_task, chosen, gather_residual_sums, {"spread": sampling.find_spread(sums, sample)})
        more = add_up((part.result() for part in futures), on_progress)
        bhar = None
        if draws > 0:
            bhar = self._scatter(chosen, self._submit(run_task, chosen, buy_and_hold, {}))[positions]
        held = self._client.gather(self._submit(run_task, chosen, sum_sessions, {}))
        portfolio = np.column_stack([sum(part[:, 0] for part in held), held[0][:, 1:]])
        correlation = self._finish_correlation(pairs, sample)
        return sampling.compose_sample(
            sample, sampling.SampleParts(sums, more, correlation, bhar, portfolio), draws=draws, seed=seed
        )

    def _start_correlation(self, chosen: list[np.ndarray], sample: EventEstimates) -> list[Any]:
        if sample.car.size < 2:
            return []
        low, high = int(sample.session_index.min()), int(sample.session_index.max()) + 1
        futures = []
        for first in range(low, high, SESSIONS_PER_BLOCK):
            stop = min(first + SESSIONS_PER_BLOCK, high)
            cuts = self._submit(cut_sessions, chosen, first, stop)
            futures.append(self._client.submit(correlate_block, cuts, first, pure=False))
        return futures

    def _finish_correlation(self, futures: list[Any], sample: EventEstimates) -> MeanCorrelation:
        n_pairs = count_overlaps(sample).n_pairs
        total, short = (sum(part) for part in zip(*self._client.gather(futures), strict=True)) if n_pairs else (0.0, 0)
        return MeanCorrelation.of(total, sample, n_pairs, short)
