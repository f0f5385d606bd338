"""The curated tables against their own rules, the exchange calendars and the figures.

Each check is a function that returns the problems it finds. It must find none in ``data/`` and at least
one in each damaged copy of it, so that a check which cannot fail is itself a failure.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import exchange_calendars as xc
import pandas as pd
import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
Tables = dict[str, pd.DataFrame]

COLUMNS = {
    "stories": "story title ticker exchange benchmark other_tickers counterparties denied tier embedded state notes "
    "shares_outstanding shares_as_of shares_source bar_benchmark confounders_searched firm",
    "articles": "story article_id role source_kind outlet published_earliest published_latest earliest_basis "
    "latest_basis time_as_printed zone zone_basis precision url paraphrase confidence notes",
    "confounders": "ticker session label known_from source url is_masked notes own_story label_without_it",
    "claims": "claim_id article_id paraphrase kind statistic status reason evidence",
    "peers": "ticker peer exchange role peer_set notes",
    "manifest": "file sha256 rows first_session last_session ticker currency exchange open_available vintage source "
    "bar_minutes label shift_minutes zone",
    "faults": "ticker session field fault action source",
    "controls": "ticker session label expected source",
}
KEYS = {
    "stories": ["story"],
    "articles": ["article_id"],
    "confounders": ["ticker", "session"],
    "claims": ["claim_id"],
    "peers": ["ticker", "peer"],
    "manifest": ["file"],
    "faults": ["ticker", "session", "field"],
    "controls": ["ticker", "session"],
}
VOCABULARY = {
    ("stories", "denied"): "yes partial no",
    ("stories", "tier"): "A A- A/C B B/C C",
    ("stories", "embedded"): "yes no",
    ("stories", "state"): "open closed",
    ("articles", "role"): "report denial relay other",
    ("articles", "source_kind"): "origin wire relay syndication statement",
    ("articles", "earliest_basis"): "printed decoded start_of_named_day order known_not_yet_public assumed",
    ("articles", "latest_basis"): "printed decoded relay end_of_named_day order assumed",
    ("articles", "zone_basis"): "printed site_convention inferred unstated",
    ("articles", "precision"): "second minute hour day",
    ("articles", "confidence"): "high medium low",
    ("confounders", "is_masked"): "yes no",
    ("claims", "kind"): "price timing mechanism documentary promotional opinion outlook",
    ("claims", "statistic"): "raw_close_to_close raw_close_to_open raw_open_to_close abs_return_percentile "
    "ar_close_to_close ar_close_to_open ar_open_to_close article_before_close order_report_denial denial_delay "
    "weekend_window none",
    ("claims", "status"): "supported contradicted not_established untestable documentary computed",
    ("peers", "role"): "peer counterparty",
    ("manifest", "open_available"): "yes no",
    ("manifest", "label"): "start end",
    ("controls", "expected"): "must_reject must_not_reject",
    ("faults", "action"): "mask_return spans_two_sessions use_close use_zero report",
}
MAY_BE_EMPTY = {
    ("claims", "evidence"),
    ("stories", "other_tickers"),
    ("stories", "counterparties"),
    ("stories", "notes"),
    ("stories", "shares_outstanding"),
    ("stories", "shares_as_of"),
    ("stories", "shares_source"),
    ("stories", "bar_benchmark"),
    ("stories", "confounders_searched"),
    ("articles", "zone"),
    ("articles", "url"),
    ("articles", "notes"),
    ("confounders", "url"),
    ("confounders", "notes"),
    ("confounders", "own_story"),
    ("confounders", "label_without_it"),
    ("peers", "peer_set"),
    ("manifest", "ticker"),
    ("manifest", "currency"),
    ("manifest", "bar_minutes"),
    ("manifest", "label"),
    ("manifest", "shift_minutes"),
    ("manifest", "zone"),
    ("faults", "session"),
}
UNIT = {"second": pd.Timedelta(seconds=1), "minute": pd.Timedelta(minutes=1), "hour": pd.Timedelta(hours=1)}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
CALENDAR_SPAN = ("1998-12-01", "2026-12-31")
NEEDED_SESSIONS = 250 + 10


def read_tables() -> Tables:
    return {name: pd.read_csv(DATA / f"{name}.csv", dtype=str, keep_default_na=False) for name in COLUMNS}


@cache
def calendar_of(mic: str) -> xc.ExchangeCalendar:
    with warnings.catch_warnings():
        # exchange_calendars 4.13 uses calls that pandas 3.1 deprecates while it builds a calendar.
        warnings.simplefilter("ignore", DeprecationWarning)
        return xc.get_calendar(mic, start=CALENDAR_SPAN[0], end=CALENDAR_SPAN[1])


@cache
def figure_sessions(ticker: str) -> tuple[str, ...]:
    """Sessions with a close of `ticker`, over all embedded files."""
    files = [DATA / folder / f"{ticker}.csv" for folder in ("pairs", "snapshot")]
    return tuple(sorted(day for file in files if file.exists() for day in pd.read_csv(file, usecols=["date"])["date"]))


def exchange_of(ticker: str) -> str:
    return {"HK": "XHKG", "KS": "XKRX"}[ticker.rsplit(".", 1)[1]] if "." in ticker else "XNYS"


def close_session(mic: str, instant: pd.Timestamp) -> str:
    """First session whose close is strictly after `instant`."""
    closes = calendar_of(mic).closes
    return closes.index[closes > instant][0].strftime("%Y-%m-%d")


# ---- checks: each returns the problems it finds -------------------------------------------------


def check_schema(tables: Tables) -> list[str]:
    found = []
    for name, table in tables.items():
        if list(table.columns) != COLUMNS[name].split():
            found.append(f"{name}: columns {list(table.columns)}")
            continue
        if table.duplicated(KEYS[name]).any():
            found.append(f"{name}: key {KEYS[name]} repeats")
        for column in table.columns:
            if (name, column) not in MAY_BE_EMPTY and (table[column] == "").any():
                found.append(f"{name}.{column}: empty cell")
    for (name, column), words in VOCABULARY.items():
        allowed = {*words.split(), *([""] if (name, column) in MAY_BE_EMPTY else [])}
        if column in tables[name] and (strangers := set(tables[name][column]) - allowed):
            found.append(f"{name}.{column}: unknown {sorted(strangers)}")
    return found


def check_links(tables: Tables) -> list[str]:
    stories, articles = set(tables["stories"]["story"]), tables["articles"]
    found = [f"story id {s!r}" for s in stories if not re.fullmatch(r"[a-z0-9-]+", s)]
    if stories != set(articles["story"]):
        found.append(f"stories and articles differ: {stories ^ set(articles['story'])}")
    if set(tables["claims"]["article_id"]) != {"FX-S0", "FX-S1"}:
        found.append("claims do not cover exactly the two source articles")
    if strangers := set(tables["claims"]["article_id"]) - set(articles["article_id"]):
        found.append(f"claims of unknown articles {strangers}")
    return found


def check_listings(tables: Tables) -> list[str]:
    """One listing a story, on an exchange with a calendar."""
    known = set(xc.get_calendar_names(include_aliases=True))
    found = []
    for row in tables["stories"].itertuples():
        others = [t for t in row.other_tickers.split(";") if t]
        if re.search(r"[;,\s]", row.ticker) or row.ticker in others or len(set(others)) != len(others):
            found.append(f"{row.story}: more than one inference listing, or a listing twice")
        if row.exchange not in known:
            found.append(f"{row.story}: exchange {row.exchange}")
    found += [
        f"{row.file}: exchange {row.exchange}" for row in tables["manifest"].itertuples() if row.exchange not in known
    ]
    return found


def check_roles(tables: Tables) -> list[str]:
    roles = tables["articles"].groupby("story")["role"].agg(list)
    found = []
    for row in tables["stories"].itertuples():
        of_story = roles.get(row.story, [])
        if ("denial" in of_story) != (row.denied != "no"):
            found.append(f"{row.story}: denied {row.denied}, roles {of_story}")
        if not {"report", "denial"} & set(of_story):
            found.append(f"{row.story}: nothing defines its event")
    return found


def check_instants(tables: Tables) -> list[str]:
    found = []
    for table, columns in (("articles", ["published_earliest", "published_latest"]), ("confounders", ["known_from"])):
        for column in columns:
            found += [f"{table}.{column}: {t!r}" for t in tables[table][column] if not INSTANT.fullmatch(t)]
    found += [
        f"{row.article_id}: earliest not before latest"
        for row in tables["articles"].itertuples()
        if row.published_earliest >= row.published_latest
    ]
    return found


def check_order(tables: Tables) -> list[str]:
    """A report is public first; each later page that carries it bounds it from above."""
    found = []
    for story, rows in tables["articles"].groupby("story"):
        for report in rows[rows["role"] == "report"].itertuples():
            for other in rows[rows["role"] != "report"].itertuples():
                if other.published_earliest < report.published_earliest:
                    found.append(f"{story}: {other.article_id} may precede its report")
                if other.role in ("denial", "relay") and other.published_latest < report.published_latest:
                    found.append(f"{story}: {other.article_id} bounds its report more tightly than the row does")
    return found


def check_zones(tables: Tables) -> list[str]:
    """Zones exist, and a bound at the edge of a named day is a midnight there."""
    zones = available_timezones()
    found = []
    for row in tables["articles"].itertuples():
        if (row.zone == "") != (row.zone_basis == "unstated") or (row.zone and row.zone not in zones):
            found.append(f"{row.article_id}: zone {row.zone!r}, basis {row.zone_basis}")
            continue
        edges = {
            "start_of_named_day": (row.earliest_basis, row.published_earliest, 10),  # UTC+14
            "end_of_named_day": (row.latest_basis, row.published_latest, 12),  # UTC-12
        }
        for name, (basis, instant, hour_if_unstated) in edges.items():
            if basis == name:
                at = pd.Timestamp(instant).tz_convert(ZoneInfo(row.zone)) if row.zone else pd.Timestamp(instant)
                if (at.hour, at.minute, at.second) != (0 if row.zone else hour_if_unstated, 0, 0):
                    found.append(f"{row.article_id}: {name} is {at}")
    return found


def check_precision(tables: Tables) -> list[str]:
    """A stamp of the page itself makes an interval of its unit; without a zone, 26 hours more."""
    found = []
    for row in tables["articles"].itertuples():
        width = pd.Timestamp(row.published_latest) - pd.Timestamp(row.published_earliest)
        unit = UNIT.get(row.precision, pd.Timedelta(0))
        if width < unit:
            found.append(f"{row.article_id}: narrower than its precision")
        if row.earliest_basis == "printed" and row.latest_basis == "printed":
            expected = unit + (pd.Timedelta(hours=26) if row.zone == "" else pd.Timedelta(0))
            if width != expected or row.precision == "day":
                found.append(f"{row.article_id}: width {width} for a stamp of precision {row.precision}")
        if row.latest_basis == "decoded" and row.earliest_basis == "printed":
            found.append(f"{row.article_id}: a decoded clock is no printed one")
        if row.earliest_basis == "decoded" and (row.source_kind, row.latest_basis) != ("statement", "decoded"):
            found.append(f"{row.article_id}: only an identifier issued with the statement bounds it from below")
    return found


def check_urls(tables: Tables) -> list[str]:
    found = []
    for name in ("articles", "confounders"):
        for cell in tables[name]["url"]:
            for url in cell.split(" ") if cell else []:
                parts = urlsplit(url)
                host_ok = re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.hostname or "")
                if (
                    parts.scheme not in ("http", "https")
                    or not host_ok
                    or not url.isascii()
                    or re.search(r"[\s<>\"]", url)
                ):
                    found.append(f"{name}: url {url!r}")
    return found


def check_words(tables: Tables) -> list[str]:
    """Our own short words: nothing long, nothing quoted, no pointer to a working file."""
    found = []
    for name, column in (
        ("stories", "title"),
        ("articles", "paraphrase"),
        ("confounders", "label"),
        ("claims", "paraphrase"),
    ):
        for text in tables[name][column]:
            if len(text.split()) > 22 or re.search(r"[\"“”«»]", text):
                found.append(f"{name}.{column}: {text!r}")
    for name, table in tables.items():
        text = " ".join(table.drop(columns="file", errors="ignore").to_numpy().ravel())
        found += [f"{name}: mentions {m!r}" for m in re.findall(r"events\.csv|\bseed\b|/work/|/tmp/|shared/", text)]
    return found


def check_confounders(tables: Tables) -> list[str]:
    found = []
    for row in tables["confounders"].itertuples():
        mic = exchange_of(row.ticker)
        if not calendar_of(mic).is_session(row.session):
            found.append(f"{row.ticker} {row.session}: closed on {mic}")
        elif close_session(mic, pd.Timestamp(row.known_from)) > row.session:
            found.append(f"{row.ticker} {row.session}: not yet known ({row.known_from})")
        elif pd.Timestamp(row.session, tz="UTC") - pd.Timestamp(row.known_from) > pd.Timedelta(days=4):
            found.append(f"{row.ticker} {row.session}: known long before ({row.known_from})")
    return found


def check_dividend_rows(tables: Tables) -> list[str]:
    """The ex-dividend rows of F are the dividends of its figures, amount by amount."""
    figures = pd.read_csv(DATA / "snapshot" / "F.csv").set_index("date")["dividend"]
    listed = (
        tables["confounders"].query("ticker == 'F'").set_index("session")["label"].str.extract(r"day \(\$([\d.]+)\)")[0]
    )
    listed = listed.dropna().astype(float)
    return (
        []
        if figures[figures > 0].sort_index().to_dict() == listed.sort_index().to_dict()
        else ["ex-dividend rows of F"]
    )


def check_counts(tables: Tables) -> list[str]:
    """Sessions before the first candidate session: the number in the notes, and whether it is enough."""
    articles = tables["articles"]
    found = []
    for row in tables["stories"].itertuples():
        days = figure_sessions(row.ticker)
        stated = re.search(r"(\d+) sessions of (\S+) before the first candidate session", row.notes)
        if not days:
            found += [f"{row.story}: {row.ticker} has no figures"] if stated or row.embedded == "yes" else []
            continue
        defining = articles[(articles["story"] == row.story) & articles["role"].isin(["report", "denial"])]
        first = close_session(row.exchange, pd.Timestamp(defining["published_earliest"].min()))
        before = [day for day in days if day < first]
        usable = before and before[-1] == calendar_of(row.exchange).previous_session(first).strftime("%Y-%m-%d")
        if (len(before) if usable else None) != (int(stated[1]) if stated else None):
            found.append(
                f"{row.story}: notes say {stated and stated[1]}, figures {len(before)} (usable: {bool(usable)})"
            )
        if (row.embedded == "yes") != bool(usable and len(before) >= NEEDED_SESSIONS):
            found.append(f"{row.story}: embedded {row.embedded} with {len(before)} sessions (usable: {bool(usable)})")
    return found


def check_shares(tables: Tables) -> list[str]:
    """A count of shares has a date before the story and a source, or nothing is given."""
    found = []
    earliest = tables["articles"].groupby("story")["published_earliest"].min()
    for row in tables["stories"].itertuples():
        cells = (row.shares_outstanding, row.shares_as_of, row.shares_source)
        if any(cells) and not (
            re.fullmatch(r"[1-9]\d{6,}", cells[0])
            and re.fullmatch(r"\d{4}-\d\d-\d\d", cells[1])
            and cells[1] < earliest[row.story][:10]
            and cells[2]
        ):
            found.append(f"{row.story}: shares {cells}")
    return found


def check_manifest(tables: Tables) -> list[str]:
    manifest = tables["manifest"].set_index("file")
    on_disk = {
        p.relative_to(DATA).as_posix()
        for folder in ("snapshot", "pairs", "bars")
        for p in (DATA / folder).glob("*.csv")
    }
    found = [f"manifest and folder differ: {set(manifest.index) ^ on_disk}"] if set(manifest.index) != on_disk else []
    for file, row in manifest[manifest.index.isin(on_disk)].iterrows():
        path = DATA / file
        table = pd.read_csv(path, dtype=str)
        if hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            found.append(f"{file}: hash")
        is_bars = path.parent.name == "bars"
        days = table["label"].str[:10] if is_bars else table["date"]
        if (str(len(table)), days.iloc[0], days.iloc[-1]) != tuple(row[["rows", "first_session", "last_session"]]):
            found.append(f"{file}: extent")
        if is_bars != bool(row["bar_minutes"] and row["label"] and row["shift_minutes"] and row["zone"]):
            found.append(f"{file}: what its labels mean")
        if ("open" in table) != (row["open_available"] == "yes"):
            found.append(f"{file}: open_available")
        if row["ticker"] != ("" if path.stem == "factors" else path.stem.split("_")[0]):
            found.append(f"{file}: ticker")
    return found


def check_faults(tables: Tables) -> list[str]:
    """Half days listed as missing are the missing ones; every other fault with a session has its row."""
    faults = tables["faults"]
    found = []
    daily = tables["manifest"][~tables["manifest"]["file"].str.startswith("bars/")]
    for file, row in daily.set_index("file").iterrows():
        days = pd.read_csv(DATA / file, usecols=["date"])["date"]
        wanted = calendar_of(row["exchange"]).sessions_in_range(days.iloc[0], days.iloc[-1]).strftime("%Y-%m-%d")
        missing = faults[(faults["ticker"] == row["ticker"]) & (faults["action"] == "spans_two_sessions")]["session"]
        if set(wanted) - set(days) != set(missing) or set(days) - set(wanted):
            found.append(f"{file}: sessions without a row {sorted(set(wanted) - set(days))}")
    for row in faults[(faults["session"] != "") & (faults["action"] != "spans_two_sessions")].itertuples():
        if row.session not in figure_sessions(row.ticker):
            found.append(f"{row.ticker} {row.session}: a fault without a row")
    return found


def check_controls(tables: Tables) -> list[str]:
    """A control is a session with figures, and its source is a row of the confounders of that firm."""
    held = set(zip(tables["confounders"]["ticker"], tables["confounders"]["session"], strict=True))
    found = []
    for row in tables["controls"].itertuples():
        if row.session not in figure_sessions(row.ticker):
            found.append(f"{row.ticker} {row.session}: a control without figures")
        source = tuple(row.source.removeprefix("confounders.csv ").split(" "))
        if source not in held or source[0] != row.ticker or not source[1] <= row.session:
            found.append(f"{row.ticker} {row.session}: source {row.source!r}")
    return found


# ---- the tables as they are ---------------------------------------------------------------------

CHECKS: list[Callable[[Tables], list[str]]] = [
    check_schema,
    check_links,
    check_listings,
    check_roles,
    check_instants,
    check_order,
    check_zones,
    check_precision,
    check_urls,
    check_words,
    check_confounders,
    check_dividend_rows,
    check_counts,
    check_shares,
    check_manifest,
    check_faults,
    check_controls,
]


@pytest.fixture
def tables() -> Tables:
    return read_tables()


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_tables_keep_the_rule(tables: Tables, check: Callable[[Tables], list[str]]) -> None:
    assert check(tables) == []


def test_sizes_and_both_source_articles(tables: Tables) -> None:
    assert {name: len(table) for name, table in tables.items()} == {
        "stories": 57,
        "articles": 129,
        "confounders": 81,
        "claims": 114,
        "peers": 25,
        "manifest": 22,
        "faults": 21,
        "controls": 11,
    }
    assert tables["claims"].groupby("article_id").size().to_dict() == {"FX-S0": 59, "FX-S1": 55}
    assert (tables["stories"]["embedded"] == "yes").sum() == 16


def test_focal_bounds(tables: Tables) -> None:
    """The times on which the focal story rests, and the one session that they leave."""
    rows = tables["articles"].set_index("article_id")
    bounds = {i: tuple(rows.loc[i, ["published_earliest", "published_latest"]]) for i in ("FX-R0", "FX-D1", "FX-D2")}
    assert bounds == {
        "FX-R0": ("2026-01-31T00:00:00Z", "2026-01-31T18:29:00Z"),
        "FX-D1": ("2026-01-31T00:00:00Z", "2026-01-31T23:49:09Z"),
        "FX-D2": ("2026-01-31T23:49:08Z", "2026-02-01T11:43:00Z"),
    }
    assert {close_session("XNYS", pd.Timestamp(t)) for pair in bounds.values() for t in pair} == {"2026-02-02"}


def test_claimed_clock_of_the_first_article() -> None:
    """15:40 on Monday precedes New York's close in the zones UTC+14 to UTC-5, and in no zone west of them."""
    close = calendar_of("XNYS").session_close("2026-02-02")
    before = [h for h in range(-12, 15) if pd.Timestamp("2026-02-02T15:40Z") - pd.Timedelta(hours=h) < close]
    assert before == list(range(-5, 15))


# ---- each check must be able to fail ------------------------------------------------------------


def put(table: str, key: str, column: str, value: str) -> Callable[[Tables], None]:
    """Damage: write `value` into the first row whose first key column equals `key`."""

    def damage(tables: Tables) -> None:
        frame = tables[table]
        frame.loc[frame.index[frame[KEYS[table][0]] == key][0], column] = value

    return damage


def repeat_first(table: str) -> Callable[[Tables], None]:
    def damage(tables: Tables) -> None:
        tables[table] = pd.concat([tables[table], tables[table].head(1)], ignore_index=True)

    return damage


def drop_rows(table: str, column: str, value: str) -> Callable[[Tables], None]:
    def damage(tables: Tables) -> None:
        tables[table] = tables[table][tables[table][column] != value].reset_index(drop=True)

    return damage


def drop_column(table: str, column: str) -> Callable[[Tables], None]:
    def damage(tables: Tables) -> None:
        tables[table] = tables[table].drop(columns=column)

    return damage


DAMAGES = [
    (check_schema, repeat_first("articles")),
    (check_schema, drop_column("stories", "tier")),
    (check_schema, put("articles", "FX-R0", "role", "rumour")),
    (check_schema, put("claims", "S0-01", "status", "true")),
    (check_schema, put("claims", "S0-01", "statistic", "t_test")),
    (check_precision, put("articles", "FX-L3", "earliest_basis", "decoded")),
    (check_schema, put("articles", "FX-R0", "outlet", "")),
    (check_links, drop_rows("articles", "story", "msc-easyjet-2025")),
    (check_links, put("stories", "msc-easyjet-2025", "story", "../etc")),
    (check_links, drop_rows("claims", "article_id", "FX-S1")),
    (check_listings, put("stories", "ford-xiaomi", "ticker", "F;1810.HK")),
    (check_listings, put("stories", "ford-xiaomi", "other_tickers", "F")),
    (check_listings, put("stories", "ford-xiaomi", "exchange", "XFOO")),
    (check_roles, put("stories", "ford-xiaomi", "denied", "no")),
    (check_roles, put("articles", "P53-R", "role", "relay")),
    (check_instants, put("articles", "FX-R0", "published_latest", "2026-01-30T23:00:00Z")),
    (check_instants, put("articles", "FX-R0", "published_latest", "2026-01-31 18:29")),
    (check_instants, put("confounders", "F", "known_from", "2021-11-18")),
    (check_order, put("articles", "FX-D1", "published_earliest", "2026-01-30T22:00:00Z")),
    (check_order, put("articles", "FX-R0", "published_latest", "2026-01-31T19:00:00Z")),
    (check_zones, put("articles", "FX-R0", "zone", "Europe/Dearborn")),
    (check_zones, put("articles", "FX-R0", "zone", "")),
    (check_zones, put("articles", "FX-R0", "zone", "America/New_York")),
    (check_zones, put("articles", "FX-L15", "published_latest", "2026-02-03T00:00:00Z")),
    (check_precision, put("articles", "FX-L1", "published_latest", "2026-01-31T18:30:00Z")),
    (check_precision, put("articles", "FX-S0", "published_latest", "2026-02-02T15:41:00Z")),
    (check_precision, put("articles", "FX-L3", "earliest_basis", "printed")),
    (check_precision, put("articles", "P50-D", "published_latest", "2008-12-17T05:30:00Z")),
    (check_urls, put("articles", "FX-L1", "url", "www.example.org/a")),
    (check_urls, put("articles", "FX-L1", "url", "https://example.org./a")),
    (check_urls, put("articles", "FX-L1", "url", "https://example.org/a b")),
    (check_words, put("articles", "FX-L1", "paraphrase", "word " * 30)),
    (check_words, put("claims", "S0-01", "paraphrase", "They said “no”.")),
    (check_words, put("articles", "FX-L1", "notes", "see events.csv")),
    (check_confounders, put("confounders", "F", "session", "2021-11-20")),
    (check_confounders, put("confounders", "F", "known_from", "2021-11-19T05:00:00Z")),
    (check_confounders, put("confounders", "F", "known_from", "2021-11-01T05:00:00Z")),
    (check_dividend_rows, put("confounders", "F", "label", "Ex-dividend day ($0.11)")),
    (check_counts, put("stories", "ford-xiaomi", "notes", "1316 sessions of F before the first candidate session.")),
    (check_counts, put("stories", "ford-xiaomi", "embedded", "no")),
    (check_counts, put("stories", "byd-nio-2024", "embedded", "yes")),
    (check_counts, put("stories", "vinci-hoax-2016", "embedded", "yes")),
    (check_shares, put("stories", "ford-xiaomi", "shares_as_of", "2026-02-06")),
    (check_shares, put("stories", "ford-xiaomi", "shares_source", "")),
    (check_manifest, put("manifest", "snapshot/F.csv", "sha256", "0" * 64)),
    (check_manifest, put("manifest", "snapshot/F.csv", "rows", "1357")),
    (check_manifest, put("manifest", "pairs/BK.csv", "open_available", "yes")),
    (check_manifest, drop_rows("manifest", "file", "pairs/TSM.csv")),
    (check_manifest, put("manifest", "bars/TSLA_5m_2024.csv", "zone", "")),
    (check_schema, put("manifest", "bars/TSLA_5m_2024.csv", "label", "middle")),
    (check_faults, drop_rows("faults", "session", "2026-02-16")),
    (check_faults, put("faults", "TM", "session", "2025-10-04")),
    (check_controls, put("controls", "F", "session", "2025-02-08")),
    (check_controls, put("controls", "STLA", "source", "confounders.csv STLA 2026-02-07")),
]


@pytest.mark.parametrize(("check", "damage"), DAMAGES, ids=[f"{c.__name__}-{i}" for i, (c, _) in enumerate(DAMAGES)])
def test_damage_is_found(
    tables: Tables, check: Callable[[Tables], list[str]], damage: Callable[[Tables], None]
) -> None:
    damage(tables)
    assert check(tables)


def test_every_check_has_a_damage_that_it_finds() -> None:
    assert {check for check, _ in DAMAGES} == set(CHECKS)


def test_the_evidence_of_every_claim_exists():
    claims, articles, news = (pd.read_csv(DATA / f"{n}.csv", dtype=str, keep_default_na=False)
                              for n in ("claims", "articles", "confounders"))  # fmt: skip
    known = {*articles["article_id"], *(news["ticker"] + " " + news["session"])}
    for claim in claims.itertuples():
        assert claim.evidence or claim.status in ("computed", "untestable"), claim.claim_id
        for item in filter(None, claim.evidence.split(";")):
            assert item in known or item.startswith("https://"), (claim.claim_id, item)
