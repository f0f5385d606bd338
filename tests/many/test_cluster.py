"""The batch on a cluster gives the numbers of one process; needs the extra ``cluster``."""

import math
import os
import signal

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from event_impact.base.errors import ConfigError, DataError
from event_impact.many import cluster as batch_cluster
from event_impact.many import file_tables as batch_tables
from event_impact.many import residual_correlation
from event_impact.many.cluster import check_scheduler, choose_scheduler, cut_partitions, fits_memory
from event_impact.many.files import BatchRequest, run_batch

N_TICKERS, N_SESSIONS = 23, 420


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Returns with gaps and a shared factor, and events that share sessions and firms."""
    folder = tmp_path_factory.mktemp("cluster")
    rng = np.random.default_rng(11)
    dates = pd.bdate_range("2024-01-02", periods=N_SESSIONS).astype("datetime64[ns]")
    market, industry = rng.normal(0, 0.01, (2, N_SESSIONS))
    wide = pd.DataFrame({"SPY": market}, index=dates.rename("date"))
    for i in range(N_TICKERS):
        wide[f"T{i:02d}"] = market + 0.7 * industry + rng.normal(0, 0.015, N_SESSIONS)
    wide.iloc[:60, 4] = np.nan
    wide.iloc[150:160, 9] = np.nan
    wide.to_parquet(folder / "wide.parquet")
    wide.reset_index().to_parquet(folder / "wide.parquet", index=False)
    long = wide.rename_axis(columns="ticker").stack().rename("ret").reset_index()
    long.to_parquet(folder / "long.parquet", index=False, row_group_size=1_000)
    places = rng.choice(N_TICKERS * 130, 160, replace=False)
    events = pd.DataFrame(
        {
            "event_id": [f"e{k}" for k in range(160)],
            "ticker": [f"T{k % N_TICKERS:02d}" for k in places],
            "session": dates[285 + places // N_TICKERS].strftime("%Y-%m-%d"),
            "kind": np.where(places % 2, "odd", "even"),
            "size": rng.random(160),
        }
    )
    events.loc[:2, ["ticker", "session"]] = [["ZZZ", "2025-06-02"], ["T01", "2025-06-01"], ["T03", "2024-02-01"]]
    events.to_csv(folder / "events.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster


def ask(folder, **changes):
    given = {"returns": folder / "long.parquet", "events": folder / "events.csv", "benchmark": "SPY", "draws": 199}
    return BatchRequest(**{**given, "out": folder / "out", "windows": ("-2:2",), **changes})


def assert_same(one, other):
    pd.testing.assert_frame_equal(one.events, other.events, rtol=1e-12, atol=0)
    pd.testing.assert_frame_equal(one.aar, other.aar, rtol=1e-11, atol=1e-15)
    assert_same_sample(one.sample, other.sample)


def assert_same_sample(one, other):
    assert {k: one[k] for k in ("n", "recommended", "overlap")} == {
        k: other[k] for k in ("n", "recommended", "overlap")
    }
    assert other["mean_correlation"] == pytest.approx(one["mean_correlation"], rel=1e-12)
    for name, test in one["tests"].items():
        found = other["tests"][name]
        if test["statistic"] is None:
            assert found == test
            continue
        for key in ("statistic", "p"):
            assert found[key] == pytest.approx(test[key], rel=1e-12, abs=1e-14), name


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_the_cluster_gives_the_numbers_of_one_process(folder, cluster, layout, monkeypatch):
    monkeypatch.setattr(residual_correlation, "SESSIONS_AT_ONCE", 17)
    request = ask(folder, group="kind", traits=("size",), returns=folder / f"{layout}.parquet")
    here = run_batch(request)
    assert here.sample["overlap"]["pairs_sharing_days"] > 100
    assert here.sample["overlap"]["pairs_of_one_firm_sharing_days"] > 0
    assert abs(here.sample["mean_correlation"]) > 1e-4
    there = run_batch(ask(folder, **{**vars(request), "scheduler": cluster.scheduler_address}))
    assert_same(here, there)
    for label, sample in here.sample["groups"].items():
        assert_same_sample(sample, there.sample["groups"][label])
    assert there.sample["traits"].keys() == here.sample["traits"].keys()
    assert (there.events["status"] == "rejected").sum() >= 3


def test_other_models_and_calendars_too(folder, cluster):
    for changes in ({"model": "market_adjusted"}, {"model": "constant_mean", "windows": ("0:0",)}):
        here = run_batch(ask(folder, **changes))
        assert_same(here, run_batch(ask(folder, **changes, scheduler=cluster.scheduler_address)))


@pytest.mark.parametrize("model", ["market_peers", "robust"])
def test_models_that_are_fitted_event_by_event_too(folder, cluster, model):
    events = pd.read_csv(folder / "events.csv").assign(controls=lambda table: "T05 T1" + (table.index % 3).astype(str))
    events.to_csv(folder / "with_controls.csv", index=False)
    changes = {"model": model, "windows": ("-2:2", "0:0"), "events": folder / "with_controls.csv"}
    here = run_batch(ask(folder, **changes))
    assert here.sample["n"] > 100
    assert_same(here, run_batch(ask(folder, **changes, scheduler=cluster.scheduler_address)))


def test_a_task_carries_nothing_of_its_events(folder, cluster, monkeypatch):
    distributed, sent = pytest.importorskip("distributed"), []
    submit = distributed.Client.submit

    def record(client, task, *given, **more):
        sent.append((task.__name__, sum(part.nbytes for part in given if isinstance(part, np.ndarray))))
        return submit(client, task, *given, **more)

    monkeypatch.setattr(distributed.Client, "submit", record)
    run_batch(ask(folder, scheduler=cluster.scheduler_address))
    assert len([name for name, _ in sent if name == "sum_block"]) >= 4
    assert {nbytes for _, nbytes in sent} == {0}
    sent.clear()
    run_batch(ask(folder, group="kind", scheduler=cluster.scheduler_address))
    choices = [nbytes for name, nbytes in sent if name == "array"]  # bits, once a partition and group
    assert 2 <= len(choices) <= 2 * len([name for name, _ in sent if name == "work_on"])
    assert sum(nbytes for _, nbytes in sent) == sum(choices) <= 2 * (160 // 8 + len(choices))


def test_the_events_of_a_block_are_laid_out_once(folder, cluster, monkeypatch):
    laid, lay_out = [], residual_correlation.BlockEvents.__init__

    def record(events, design, estimates, block, first_ticker=0):
        lay_out(events, design, estimates, block, first_ticker)
        if events.is_whole.any():
            laid.append((block.begin, first_ticker))

    monkeypatch.setattr(residual_correlation.BlockEvents, "__init__", record)
    run_batch(ask(folder, scheduler=cluster.scheduler_address))
    assert len({first for first, _ in laid}) > 1
    assert len(set(laid)) == len(laid)


def test_workers_forget_their_events_before_the_statistics_are_composed(folder, cluster, monkeypatch):
    engines, held, compose = [], [], batch_cluster.sampling.compose_sample
    gather = batch_cluster.ClusterEngine._gather_estimates
    monkeypatch.setattr(
        batch_cluster.ClusterEngine, "_gather_estimates", lambda engine: engines.append(engine) or gather(engine)
    )
    monkeypatch.setattr(
        batch_cluster.sampling,
        "compose_sample",
        lambda *given, **more: held.append(len(engines[-1]._worked)) or compose(*given, **more),
    )
    run_batch(ask(folder, windows=("0:0",), scheduler=cluster.scheduler_address))
    assert held == [0]
    run_batch(ask(folder, group="kind", scheduler=cluster.scheduler_address))
    assert len(held) == 4
    assert min(held[1:]) > 0


def test_a_worker_reads_a_partition_in_pieces_and_keeps_what_it_frees(folder, cluster, monkeypatch):
    read, kept, as_before = [], [], batch_tables.read_returns
    monkeypatch.setattr(
        batch_tables, "read_returns", lambda *given, **more: read.append(more["tickers"]) or as_before(*given, **more)
    )
    monkeypatch.setattr(batch_cluster, "keep_freed_memory", kept.append)
    run_batch(ask(folder, scheduler=cluster.scheduler_address))
    assert all("SPY" in names for names in read)
    assert max(map(len, read)) <= 4  # six tickers of a partition and the benchmark, in three pieces
    assert set(kept) == {batch_cluster.LARGEST_KEPT}


def test_a_refusal_on_a_worker_is_a_refusal_here(folder, cluster):
    returns = pd.read_parquet(folder / "long.parquet")
    percent = returns.assign(ret=returns["ret"] * 100)
    percent.to_parquet(folder / "percent.parquet", index=False)
    with pytest.raises(DataError, match="look like percent"):
        run_batch(ask(folder, returns=folder / "percent.parquet", scheduler=cluster.scheduler_address))


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(folder, monkeypatch):
    distributed = pytest.importorskip("distributed")
    here = run_batch(ask(folder))
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        with distributed.Client(cluster) as client:
            victim = next(iter(client.run(os.getpid).values()))
        kept = batch_cluster.ClusterEngine.assess

        def kill_and_assess(self, *arguments, **more):
            os.kill(victim, signal.SIGKILL)  # after its partitions were estimated
            return kept(self, *arguments, **more)

        monkeypatch.setattr(batch_cluster.ClusterEngine, "assess", kill_and_assess)
        there = run_batch(ask(folder, scheduler=cluster.scheduler_address))
    assert_same(here, there)


def test_partitions_hold_every_placed_event_once():
    rng = np.random.default_rng(2)
    ticker, session = rng.integers(-1, 40, 500), rng.integers(-1, 300, 500)
    names = [f"N{i}" for i in range(40)]
    parts = cut_partitions(names, ticker, session, n_sessions=300, limits=[math.inf] * 3)
    assert len(parts) == 6
    positions = np.concatenate([part.positions for part in parts])
    assert sorted(positions) == np.flatnonzero((ticker >= 0) & (session >= 0)).tolist()
    for part in parts:
        assert [part.tickers[i] for i in part.ticker] == [names[i] for i in ticker[part.positions]]
        np.testing.assert_array_equal(part.session, session[part.positions])
    large = cut_partitions(names, ticker, session, n_sessions=2_000_000, limits=[math.inf] * 3)
    assert max(len(part.tickers) for part in large) == 2
    small = cut_partitions(names, ticker, session, n_sessions=300, limits=[5e5, math.inf])  # bytes of a worker
    assert max(len(part.tickers) for part in small) == 3
    assert cut_partitions(names, ticker[:0], session[:0], n_sessions=300, limits=[math.inf] * 3) == []


def test_memory_that_holds_files_at_hand_can_be_given(tmp_path):
    told = tmp_path / "meminfo"
    assert batch_cluster.available_memory(told) is None
    told.write_text("MemTotal:       24683720 kB\nMemFree:          713188 kB\nMemAvailable:   23417012 kB\n")
    assert batch_cluster.available_memory(told) == 23_417_012 * 1024
    told.write_text("MemTotal:       24683720 kB\n")
    assert batch_cluster.available_memory(told) is None


def test_a_file_that_does_not_fit_goes_to_a_local_cluster(folder, monkeypatch):
    assert fits_memory(1_000, None)
    assert fits_memory(1_000, 80_000)
    assert not fits_memory(1_001, 80_000)
    assert choose_scheduler(None, folder / "long.parquet") is None
    monkeypatch.setattr(batch_cluster, "available_memory", lambda: 10_000)
    monkeypatch.setattr(batch_cluster, "is_installed", lambda: True)
    assert choose_scheduler(None, folder / "long.parquet") == "local"
    assert choose_scheduler(None, folder / "events.csv") is None
    monkeypatch.setattr(batch_cluster, "is_installed", lambda: False)
    with pytest.raises(DataError, match="does not fit into memory"):
        choose_scheduler(None, folder / "long.parquet")
    with pytest.raises(ConfigError, match="needs Dask"):
        check_scheduler("tcp://somewhere:8786")


def test_bad_requests_for_a_cluster_are_refused(folder, monkeypatch):
    monkeypatch.setattr(batch_cluster, "is_installed", lambda: True)
    with pytest.raises(ConfigError, match="is no address"):
        check_scheduler("somewhere:8786")
    with pytest.raises(ConfigError, match="reads Parquet"):
        choose_scheduler("local", folder / "returns.csv")


def test_nobody_answering_is_said(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(batch_cluster, "CONNECT_SECONDS", 0.2)
    with pytest.raises(DataError, match="No scheduler answers"), batch_cluster.open_client("tcp://127.0.0.1:9"):
        pass


def test_a_survey_reads_no_return(folder):
    for layout in ("long", "wide"):
        tickers, sessions = batch_tables.survey_returns(folder / f"{layout}.parquet")
        whole = batch_tables.read_returns(folder / f"{layout}.parquet")
        assert tickers == tuple(whole.columns)
        assert sessions.equals(pd.DatetimeIndex(whole.index))
    part = batch_tables.read_returns(folder / "long.parquet", tickers=["T03", "SPY"])
    pd.testing.assert_frame_equal(part, whole[["SPY", "T03"]].loc[part.index], check_freq=False)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        batch_tables.survey_returns(folder / "events.csv")


@pytest.mark.parametrize("tickers", [["A", "B", "C"], [1, 2, 3]])
def test_a_worker_reads_only_groups_that_can_hold_its_tickers(tmp_path, monkeypatch, tickers):
    days = pd.bdate_range("2024-01-01", periods=10, name="date")
    wide = pd.DataFrame(np.arange(30.0).reshape(10, 3) / 1e4, days, pd.Index(tickers, name="ticker"))
    long = wide.T.stack().rename("ret").reset_index()
    long.to_parquet(tmp_path / "returns.parquet", index=False, row_group_size=10)
    read, as_before = [], pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda file, group, **more: read.append(group) or as_before(file, group, **more),
    )
    found = batch_tables.read_returns(tmp_path / "returns.parquet", tickers=[str(tickers[1])])
    np.testing.assert_array_equal(found[str(tickers[1])], wide[tickers[1]])
    assert list(found) == [str(tickers[1])]
    assert read == ([1] if tickers[1] == "B" else [0, 1, 2])  # statistics of numbers do not tell of texts
