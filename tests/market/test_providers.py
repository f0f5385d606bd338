"""Providers by choice: found by entry point, refused by name, asked through the protocol."""

from __future__ import annotations

import shutil
import textwrap
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from event_impact.base.errors import ConfigError, DataError
from event_impact.market.download import fetch_vintage
from event_impact.market.fetch_plan import FetchRequest
from event_impact.market.providers import load_provider
from event_impact.market.providers.yahoo import YahooProvider
from stories import ROOT

MODULE = """
from market.toy_provider import ToyProvider

class DistributedToy(ToyProvider):
    name = "distributed"

def broken():
    raise RuntimeError("no key is set")
"""


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution as pip would have left it, that offers two providers."""
    info = tmp_path / "toy_prices-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-prices\nVersion: 1.0\n", encoding="utf-8")
    points = """
        [event_impact.providers]
        distributed = toy_prices:DistributedToy
        broken = toy_prices:broken
        absent = toy_prices:nothing
    """
    (info / "entry_points.txt").write_text(textwrap.dedent(points), encoding="utf-8")
    (tmp_path / "toy_prices.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("faults.csv", "manifest.csv"):
        shutil.copy(ROOT / "data" / name, folder / name)
    return folder


def test_a_provider_of_another_distribution_serves_a_download(distribution: None, data: Path) -> None:
    def no_factors(first: str, data: Path) -> pd.DataFrame:
        raise DataError("not reached.")

    done = fetch_vintage(
        FetchRequest({"F": "XNYS"}, date(2025, 1, 2), bars=("F",)), data, load_provider("distributed"),
        at=datetime(2026, 2, 13, 22, tzinfo=UTC), factors=no_factors,
    )  # fmt: skip
    assert done.vintage.name == "distributed-20260213T220000Z"
    assert done.vintage.manifest["provider"] == "distributed"
    assert "numpy" in done.vintage.manifest["versions"]
    assert {"F.csv", "intraday/1m/F.csv", "intraday/5m/F.csv"} <= set(done.vintage.manifest["files"])


def test_our_own_needs_no_installation() -> None:
    assert isinstance(load_provider("yahoo"), YahooProvider)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody", "no provider 'nobody' can be loaded .*There is absent, broken, distributed, yahoo"),
        ("broken", "'broken' can be loaded .RuntimeError: no key is set"),
        ("absent", "'absent' can be loaded .AttributeError"),
    ],
)
def test_what_cannot_be_loaded_is_named(distribution: None, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_provider(name)
