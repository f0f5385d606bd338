"""The batch engine on several processes or machines, out of core, by Dask.

Every partition is some tickers. Its worker reads them from the Parquet file of returns, estimates their events
and keeps both; sums of days and of ranks travel back and add up. The mean correlation pairs events across
tickers: their sums of unit vectors add up too, and what has gaps is shown to every partition, a few
sessions at a time. A worker that dies takes nothing with it: what it held is read and computed again.
"""

import importlib.util
import math
import os
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from event_impact.base.code_digest import digest_package, read_package
from event_impact.base.errors import ConfigError, DataError
from event_impact.base.threads import keep_freed_memory
from event_impact.many import file_tables as tables
from event_impact.many import sample as sampling
from event_impact.many.dependence import count_overlaps
from event_impact.many.each_event import estimate_sample, lay_out_sample
from event_impact.many.engine import UNKNOWN_TICKER, USED, EventEstimates, EventWindows
from event_impact.many.layout import FACTORS_OF_MODEL, BatchDesign, BatchPanel, lay_out_model
from event_impact.many.residual_correlation import (
    BlockEvents,
    BlockSums,
    GappyEvents,
    MeanCorrelation,
    SessionBlock,
    cut_sessions,
    find_days,
    pair_sums,
)
from event_impact.many.sample_days import add_up, buy_and_hold, gather_day_sums, gather_residual_sums, total_by_session

if TYPE_CHECKING:
    from distributed import Client

ADDRESS = re.compile(r"(tcp|tls|ws|wss|inproc)://\S+")
LOCAL = "local"
#: Ticker-sessions of one partition: 32 MB of returns, some 200 MB while it is worked on.
CELLS_PER_PARTITION = 4_000_000
#: Of a worker's memory limit, the cells of one partition in the engine, beside the 60 % that Dask lets a worker hold
#: before it spills; at 80 % it takes no more work.
PARTITION_SHARE = 0.09
#: Of a partition: one reading takes for a moment some ten times what it leaves.
READINGS = 3
#: At least so many, so that a slow or lost worker leaves work to share.
PARTITIONS_PER_WORKER = 2
#: Bytes that a worker keeps once freed, to be used again: Dask asks for none, and then every page is zeroed anew. What is
#: larger, such as the returns of a partition, is given back.
LARGEST_KEPT = 2**21
#: Of sessions whose events are correlated: more would fill the workers with events that have gaps. Where events are few,
#: up to four times as many sessions, with so many events.
BLOCKS_AT_ONCE, BLOCK_SESSIONS, BLOCK_EVENTS = 1, 24, 32_768
#: Of the engine in one process: frame, panel, window sums and their temporaries.
BYTES_PER_CELL = 48
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
    first_ticker : int
        Number of the first of them among the tickers of all partitions.
    positions : int array (events,)
        Places of the events in the whole table.
    ticker, session : int arrays (events,)
        Place among ``tickers``, and column of the calendar.
    controls : array (events,) of tuples of str, optional
    """

    tickers: tuple[str, ...]
    first_ticker: int
    positions: np.ndarray
    ticker: np.ndarray
    session: np.ndarray
    controls: np.ndarray | None = None


@dataclass(frozen=True)
class Worked:
    """A partition as it lies on a worker: its layout, the estimates of its events and the number of its first ticker."""

    design: BatchDesign
    estimates: EventEstimates
    first_ticker: int

    def __sizeof__(self) -> int:
        """What a worker counts before it spills."""
        known = (self.design.outcome, *vars(self.estimates).values(), *(self.estimates.held or {}).values())
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


def available_memory(told: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that this machine can still give, those of files that it keeps at hand included; None where it does not say."""
    try:
        held = dict(line.split(":") for line in told.read_text(encoding="ascii").splitlines())
        return 1024 * int(held["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError):
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
    if other := [address for address, digest in held.items() if digest != here]:
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
    parts: list[Partition] = []
    for run in np.array_split(used, n_parts) if n_parts else []:
        low, high = np.searchsorted(ticker_index[order], [run[0], run[-1] + 1])
        positions = order[low:high].astype(np.int32)
        parts.append(
            Partition(
                tickers=tuple(tickers[i] for i in run),
                first_ticker=sum(len(part.tickers) for part in parts),
                positions=positions,
                ticker=np.searchsorted(run, ticker_index[positions]).astype(np.min_scalar_type(run.size)),
                session=session_index[positions].astype(np.min_scalar_type(n_sessions)),
                controls=None if controls is None else controls[positions],
            )
        )
    return parts


def work_on(source: Source, partition: Partition, windows: EventWindows) -> Worked:
    """On a worker: read the tickers of a partition and estimate its events."""
    controls = () if partition.controls is None else {name for names in partition.controls for name in names}
    keep_freed_memory(LARGEST_KEPT)
    wanted = list(dict.fromkeys((*partition.tickers, source.benchmark, *sorted(controls))))
    pieces = []
    for names in np.array_split(np.array(wanted, dtype=object), READINGS):  # a reading takes more than what it leaves
        asked = sorted({*names, source.benchmark})
        part = tables.read_returns(source.returns, allow_large=source.allow_large, tickers=asked)
        part, _ = tables.set_aside_impossible(part, allow_large=source.allow_large)
        pieces.append(part.reindex(index=source.sessions, columns=names))
    pa.default_memory_pool().release_unused()
    returns = pd.concat(pieces, axis=1)
    factors = tables.read_factors(source.factors, source.model) if source.factors else None
    tables.check_benchmark(returns, source.benchmark, source.returns)
    panel = tables.build_panel(returns, benchmark=source.benchmark, factors=factors)
    design = lay_out_model(panel, source.model)
    places = partition.ticker, partition.session
    estimates = estimate_sample(design, *places, windows=windows, controls=partition.controls)
    held = {name: getattr(estimates, name).astype(np.int32) for name in ("ticker_index", "session_index")}
    return Worked(design, replace(estimates, **held), partition.first_ticker)


def drop_days(worked: Worked) -> EventEstimates:
    """The estimates of a partition without their days and their models."""
    blank: dict[str, Any] = dict.fromkeys(("outcome_mean", "slopes", "regressor_means", "cholesky"), np.empty((0, 0)))
    return replace(worked.estimates, held=None, **blank)


def pick(worked: Worked, bits: np.ndarray | None, block: SessionBlock | None = None) -> EventEstimates:
    """The used events of a partition, all of them or those whose bit is set, and of a block of sessions."""
    is_chosen, sessions = worked.estimates.is_used, worked.estimates.session_index
    if bits is not None:
        is_chosen &= np.unpackbits(bits, count=sessions.size).astype(bool)
    if block is not None:
        is_chosen &= (sessions >= block.begin) & (sessions < block.stop)
    return worked.estimates.select(np.flatnonzero(is_chosen))


def run_task(worked: Worked, bits: np.ndarray | None, task: Callable[..., Any], more: dict[str, Any]) -> Any:
    """On a worker: a task of layout and estimates, for some events."""
    return task(worked.design, pick(worked, bits), **more)


def sum_sessions(design: BatchDesign, chosen: EventEstimates) -> np.ndarray:
    """Summed outcome of some used events by session, beside the shared regressors."""
    return sampling.lay_out_portfolio(design, total_by_session(design, chosen))


def show_gappy(worked: Worked, bits: np.ndarray | None, block: SessionBlock) -> GappyEvents:
    """On a worker: what all partitions need of the events of one that have gaps of their own, over a block of sessions."""
    chosen = pick(worked, bits, block)
    gappy = chosen.select(block.find_gappy(chosen))
    return BlockEvents(worked.design, gappy, block, worked.first_ticker).lay_gappy()


def sum_block(worked: Worked, bits: np.ndarray | None, block: SessionBlock, gappy: GappyEvents) -> BlockSums:
    """On a worker: sums of the chosen events of a partition over a block, and their pairs with events that have gaps."""
    return BlockEvents(worked.design, pick(worked, bits, block), block, worked.first_ticker).sum_up(gappy)


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
        parts = cut_partitions(
            tickers, ticker_index, session_index, n_sessions=len(source.sessions), limits=limits, controls=controls
        )
        self._positions = [part.positions for part in parts]  # all that need not travel, and all that stays here
        sent = (replace(part, positions=part.positions[:0]) for part in parts)
        self._worked = [client.submit(work_on, source, part, windows, pure=False) for part in sent]
        self._places = (ticker_index, session_index)
        self.estimates = replace(self._gather_estimates(), controls=controls)

    def _gather_estimates(self) -> EventEstimates:
        """All events in the order of the table; those without a place keep their reason."""
        design, (tickers, sessions) = self._lay_out_nothing(), self._places
        whole = lay_out_sample(design, np.minimum(tickers, 0), sessions, windows=self._windows, keep_model=False)
        whole = replace(whole, ticker_index=tickers, session_index=sessions)
        for positions, worked in zip(self._positions, self._worked, strict=True):  # all at once would not fit a worker
            part = self._client.submit(drop_days, worked, pure=False, priority=1).result()
            for name, value in vars(part).items():
                is_whole = isinstance(value, np.ndarray) and value.shape[-1] == positions.size
                if is_whole and name not in ("ticker_index", "session_index", "controls"):
                    getattr(whole, name)[..., positions] = value
        return whole

    def _lay_out_nothing(self) -> BatchDesign:
        """An empty layout of the same calendar and model, for events that have no place."""
        sessions, model = self._source.sessions.to_numpy(), self._source.model
        blank = np.zeros(sessions.size)
        factors = dict.fromkeys(FACTORS_OF_MODEL.get(model, ()), blank)
        return lay_out_model(BatchPanel(sessions, ("",), blank[None] * np.nan, blank, factors), model)

    def _choose(self, is_chosen: np.ndarray) -> list[tuple[Any, Any]]:
        """Each partition that has any of the chosen events, and which of its own: sent once, and only where not all are."""
        chosen = (is_chosen[positions] for positions in self._positions)
        is_all, send = np.array_equal(is_chosen, self.estimates.is_used), partial(self._client.submit, pure=False)
        held = [(worked, each) for worked, each in zip(self._worked, chosen, strict=True) if each.any()]
        return [(worked, None if is_all else send(np.array, np.packbits(each))) for worked, each in held]

    def _submit(self, task: Callable[..., Any], parts: list[Any], *more: Any, priority: int = 0) -> list[Any]:
        """One task a partition that has any of the chosen events; it carries nothing of them."""
        return [self._client.submit(task, *part, *more, pure=False, priority=priority) for part in parts]

    @cached_property
    def p_values(self) -> sampling.EventPValues:
        """The tests of single events, in the order of the table."""
        if self._windows.n_event > 1:
            return sampling.judge_events(self._lay_out_nothing(), self.estimates)
        is_used = self.estimates.is_used
        found = self._submit(run_task, self._choose(is_used), sampling.judge_events, {})
        return sampling.EventPValues(*self._scatter(is_used, found, 3).T)

    def _scatter(self, is_chosen: np.ndarray, futures: list[Any], *shape: int) -> np.ndarray:
        """Numbers of the chosen events of each partition, one row an event of the table; NaN for the others."""
        held = (positions[is_chosen[positions]] for positions in self._positions)
        whole = np.full((is_chosen.size, *shape), np.nan)
        for where, future in zip((each for each in held if each.size), futures, strict=True):
            whole[where] = np.transpose(future.result())
        return whole

    def assess(
        self,
        among: np.ndarray | None = None,
        *,
        draws: int,
        seed: int,
        is_last: bool = False,
        on_progress: Callable[[int], object] | None = None,
    ) -> sampling.SampleResult:
        """Every statistic of the used events, or of those among some positions.

        The same as :func:`event_impact.many.sample.assess_sample` up to rounding.

        Parameters
        ----------
        is_last : bool
            No other sample will be asked for: the workers forget theirs before the statistics are composed here.
        """
        is_chosen = self.estimates.is_used
        if among is not None:
            is_chosen &= np.isin(np.arange(is_chosen.size), among)
        if not is_chosen.any():
            return sampling.assess_sample(self._lay_out_nothing(), self._select(is_chosen), draws=draws, seed=seed)
        parts = self._sum_up(is_chosen, draws, on_progress)
        if is_last:
            _, self._worked = self.p_values, []
        return sampling.compose_sample(self._select(is_chosen), parts, draws=draws, seed=seed)

    def _select(self, is_chosen: np.ndarray) -> EventEstimates:
        return self.estimates.select(np.flatnonzero(is_chosen))

    def _sum_up(self, is_chosen: np.ndarray, draws: int, on_progress: Any) -> sampling.SampleParts:
        """What the statistics of the chosen events need of the workers."""
        parts = self._choose(is_chosen)
        sums = add_up((part.result() for part in self._submit(run_task, parts, gather_day_sums, {})), on_progress)
        spread = sampling.find_spread(sums, self._select(is_chosen))
        futures = self._submit(run_task, parts, gather_residual_sums, {"spread": spread})
        more = add_up((part.result() for part in futures), on_progress)
        bhar = (
            self._scatter(is_chosen, self._submit(run_task, parts, buy_and_hold, {}))[is_chosen] if draws > 0 else None
        )
        held = self._client.gather(self._submit(run_task, parts, sum_sessions, {}))
        portfolio = np.column_stack([sum(part[:, 0] for part in held), held[0][:, 1:]])
        chosen = replace(self.estimates, reason=np.where(is_chosen, USED, UNKNOWN_TICKER).astype(np.int8))
        overlap = count_overlaps(chosen)
        correlation = self._correlate(parts, chosen, overlap.n_pairs)
        return sampling.SampleParts(sums, more, overlap, correlation, bhar, portfolio)

    def _correlate(self, parts: list[tuple[Any, Any]], chosen: EventEstimates, n_pairs: int) -> MeanCorrelation:
        waiting, found, submit = deque[Any](), [(0.0, 0)], partial(self._client.submit, pure=False)
        seen = self._client.map(lambda worked: find_days(worked.design), self._worked, pure=False)
        days, n = np.logical_or.reduce(self._client.gather(seen)), int(chosen.is_used.sum())
        most = int(np.clip(BLOCK_EVENTS * days.size // n, BLOCK_SESSIONS, 4 * BLOCK_SESSIONS))
        for block in cut_sessions(chosen, days, most) if n_pairs else ():
            # laid out ahead of the sums of the block before, so that no worker waits for the others
            gappy = submit(GappyEvents.merge, self._submit(show_gappy, parts, block, priority=1), priority=1)
            waiting.append(submit(pair_sums, self._submit(sum_block, parts, block, gappy), gappy, block))
            if len(waiting) > BLOCKS_AT_ONCE:
                found.append(waiting.popleft().result())
        found += self._client.gather(list(waiting))
        total, short = (sum(each) for each in zip(*found, strict=True))
        return MeanCorrelation.of(total, n, self._windows, n_pairs, short)
