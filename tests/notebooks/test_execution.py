"""The notebooks, executed whole: what is published, what it says, and that it says the same twice."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from event_impact.base.root import StudyRoot
from event_impact.market.snapshot import open_source
from event_impact.page.format import format_percent
from event_impact.page.render import check_page
from event_impact.runs.requests import RunRequest
from event_impact.runs.run import run_notebook
from stories import ROOT


def request(reports, notebook="02_event_study", **parameters):
    forced = parameters.pop("is_forced", False)
    return RunRequest(notebook, parameters, StudyRoot(ROOT), reports, is_forced=forced)


@pytest.fixture
def reports(focal_reports):
    return focal_reports


@pytest.fixture
def published(publish_focal):
    return publish_focal("02_event_study")


class Page(HTMLParser):
    """The visible text, the table cells and the attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._table = None
        self._cell = False
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "table":
            self._table = self.tables.setdefault(values.get("id", f"table{len(self.tables)}"), [])
        elif tag == "tr" and self._table is not None:
            self._table.append([])
        elif tag in ("td", "th") and self._table:
            self._table[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag == "table":
            self._table = None
        elif tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data):
        self.text += data
        if self._cell and self._table:
            self._table[-1][-1] += data


def read_pages(folder) -> list[Page]:
    """The report and its appendix."""
    return [Page((folder / name).read_text()) for name in ("report.html", "appendix.html")]


def test_a_run_publishes_its_parts(published):
    assert published.is_new
    assert re.fullmatch(r"2026-02-13_ford-xiaomi_event-study_[0-9a-f]{8}", published.folder.name)
    names = {p.name for p in published.folder.iterdir()}
    assert names == {"report.html", "appendix.html", "run.json", "executed.ipynb", "results"}
    tables = {p.name for p in (published.folder / "results").iterdir()}
    assert {"estimates.csv", "abnormal_returns.csv", "alignment.csv", "sequence.csv"} <= tables


def test_run_json_holds_the_contract(published):
    run = json.loads((published.folder / "run.json").read_text())
    for key in (
        "schema_version", "story", "notebook", "as_of", "status", "outcome", "companion_outcome", "verdict", "plain",
        "identified", "event_session", "headline", "companion", "parameters", "inputs", "vintage", "versions", "commit",
        "started_at", "finished_at",
    ):  # fmt: skip
        assert key in run, key
    assert run["identified"]["joint"] is True
    assert run["identified"]["report"] is False
    assert run["event_session"] == "2026-02-02"
    assert run["parameters"]["benchmark"] == "SPY"
    assert run["status"] == "final"
    assert all(re.fullmatch(r"[0-9a-f]{64}", sha) for sha in run["inputs"].values())


def test_text_tables_csv_and_record_agree(published):
    report, appendix = read_pages(published.folder)
    run = json.loads((published.folder / "run.json").read_text())
    estimates = pd.read_csv(published.folder / "results" / "estimates.csv")
    headline = estimates[(estimates["is_primary"]) & (estimates["return_kind"] == "close_to_close")].iloc[0]
    for key in ("estimate", "standard_error", "ci95_low", "p_conformal", "p_fhs", "mde80"):
        assert headline[key] == run["headline"][key]
    shown = appendix.tables["estimates"][1]
    assert shown[1] == format_percent(headline["estimate"])
    assert f"{-100 * headline['estimate']:.1f} % less" in run["verdict"].replace("\xa0", " ")
    assert run["verdict"].split(".")[0] in report.text
    by_t = appendix.tables["estimates"][0].index("by t")
    for row, record in zip(appendix.tables["estimates"][1:], estimates.to_dict("records"), strict=True):
        assert row[1] == format_percent(record["estimate"])
        assert row[by_t] == format_percent(record["mde80"], sign=False)


SHOWN_AS = {
    "estimate": ["estimate"],
    "mean": ["estimate"],
    "joint effect": ["estimate"],
    "abnormal return": ["estimate"],
    "change": ["change"],
    "s.e.": ["standard_error"],
    "90 % interval": ["ci90_low", "ci90_high"],
    "95 % interval": ["ci95_low", "ci95_high"],
    "t": ["t"],
    "p": ["p"],
    "p t": ["p_t"],
    "p (t)": ["p_t"],
    "p (rank)": ["p_rank"],
    "p conformal": ["p_conformal"],
    "p FHS": ["p_fhs"],
    "p inside 2.00 %": ["p_equivalence"],
    "MDE 80 %": ["mde80"],
    "detectable 4 in 5 from": ["mde80"],
    "found 1 in 2 from": ["mde50"],
    "found 4 in 5 from": ["mde80"],
    "found 9 in 10 from": ["mde90"],
    "4 in 5 by t": ["mde80"],
    "by t": ["mde80"],
    "bound provable 4 in 5": ["provable_bound"],
    "smallest bound": ["smallest_bound"],
    "lowest estimate": ["estimate_low"],
    "highest estimate": ["estimate_high"],
    "smallest conformal p": ["p_conformal_low"],
    "residual s.d.": ["residual_std"],
    "sum of peer weights": ["weight_sum"],
    "mean correlation": ["mean_correlation"],
    "stories": ["n"],
}
BY_RULE = {"mde50": "mde50_rule", "mde80": "mde80_rule", "mde90": "mde90_rule"}
"""What is found "4 in 5" is that of the deciding rule where the CSV holds it."""
NUMBER = re.compile(r"(< )?([+\u2212]?)(\d+(?:\.(\d+))?)( [%b])?")


def check_shown(shown: str, value: float, where: str) -> None:
    """A number read back from the page is the one of the CSV, up to half a unit of its last digit."""
    below, sign, digits, decimals, unit = NUMBER.fullmatch(shown.removesuffix("n")).groups()
    scale = {None: 1.0, " %": 0.01, " b": 1e9}[unit]
    number = float(digits) * scale * (-1 if sign == "\u2212" else 1)
    if below:
        assert value < number, where
    else:
        assert abs(number - value) <= 0.5000001 * 10 ** -len(decimals or "") * scale, where


@pytest.mark.parametrize(
    ("notebook", "least"),
    [("02_event_study", 215), ("03_robustness", 105), ("04_spillover", 80), ("05_report_denial_panel", 65)],
)
def test_every_number_of_the_tables_is_that_of_the_csv(publish_focal, notebook, least):
    folder = publish_focal(notebook).folder
    checked = 0
    for name, rows in (item for page in read_pages(folder) for item in page.tables.items()):
        path = folder / "results" / f"{name}.csv"
        records = pd.read_csv(path).to_dict("records") if path.is_file() else []
        if len(records) != len(rows) - 1:  # longer in the CSV: other tests
            continue
        for column, head in enumerate(rows[0]):
            keys = SHOWN_AS.get(head.replace("\xa0", " "), [])
            if "by t" not in head:
                keys = [by_rule if (by_rule := BY_RULE.get(key)) in records[0] else key for key in keys]
            if not keys or not set(keys) <= set(records[0]):
                continue
            for row, record in zip(rows[1:], records, strict=True):
                shown, where = row[column].replace("\xa0", " "), f"{name}, {row[0]}, {head}: {row[column]}"
                if any(pd.isna(record[key]) for key in keys):
                    assert shown.startswith(("n/a", "by ranks: ")), where
                    continue
                parts = shown.split(" to ")
                assert len(parts) == len(keys), where
                for part, key in zip(parts, keys, strict=True):
                    check_shown(part, record[key], where)
                checked += 1
    assert checked >= least


def test_the_headline_is_one_number_in_every_notebook(publish_focal):
    runs = [publish_focal(name).run for name in ("02_event_study", "03_robustness", "04_spillover")]
    assert runs[0].headline == runs[1].headline == runs[2].headline
    assert runs[0].verdict == runs[1].verdict == runs[2].verdict
    panel = publish_focal("05_report_denial_panel")
    pooled = pd.read_csv(panel.folder / "results" / "pooled.csv").iloc[0]
    assert format_percent(pooled["estimate"], digits=1) in panel.run.verdict
    assert panel.run.verdict.split(". ")[0] in Page(panel.page.read_text()).text


def test_csv_conventions(published):
    for path in (published.folder / "results").glob("*.csv"):
        text = path.read_text()
        assert not re.search(r"(?m)(^|,)(nan|None|NaN|True|False|NaT|inf)(,|$)", text), path.name
        assert "\r" not in text


def test_the_page_passes_its_gates_and_describes_its_images(published):
    text = (published.folder / "report.html").read_text()
    check_page(text)
    assert "<img" not in text
    described = re.findall(r'<svg[^>]* role="img"[^>]*aria-label="([^"]*)"', text)
    assert len(described) >= 6
    assert all(len(words) > 40 for words in described)
    assert str(ROOT) not in text
    assert str(ROOT) not in (published.folder / "executed.ipynb").read_text()


def without_provenance(text: str) -> str:
    return re.sub(r"<(section|span|nav)[^>]*data-provenance.*?</\1>", "", text, flags=re.DOTALL)


def test_asked_again_nothing_is_done_and_forced_nothing_differs(published, reports):
    before = {p.name for p in reports.iterdir() if not p.name.startswith(".")}
    again = run_notebook(request(reports))
    assert not again.is_new
    assert again.folder == published.folder
    forced = run_notebook(request(reports, is_forced=True))
    assert not forced.is_new
    assert {p.name for p in reports.iterdir() if not p.name.startswith(".")} == before


def test_two_executions_give_the_same_bytes(published, tmp_path):
    """Results are byte-identical, and so is the page outside its provenance."""
    again = run_notebook(request(tmp_path))
    assert again.folder.name == published.folder.name
    for path in (published.folder / "results").iterdir():
        assert path.read_bytes() == (again.folder / "results" / path.name).read_bytes(), path.name
    pages = [without_provenance((o.folder / "report.html").read_text()) for o in (published, again)]
    assert pages[0] == pages[1]


def test_the_appendix_names_every_input_with_its_hash(published):
    appendix = Page((published.folder / "appendix.html").read_text()).text
    assert [file for file, sha in published.run.inputs.items() if file not in appendix or sha not in appendix] == []


def test_results_of_the_day_do_not_see_later_figures(tmp_path):
    """As of the event session: the same bytes whether or not later figures are in the source."""
    store = open_source("snapshot", ROOT / "data")
    frames = []
    for ticker in ("F", "SPY"):
        frame = store.load(ticker, "XNYS").frame.reset_index().rename(columns={"session": "date"})
        frame.insert(1, "ticker", ticker)
        frames.append(frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d")))
    both = pd.concat(frames)
    outcomes = []
    for name, part in (("whole", both), ("cut", both[both["date"] <= "2026-02-02"])):
        folder = tmp_path / name
        folder.mkdir()
        part.to_csv(folder / "own.csv", index=False)
        outcomes.append(run_notebook(request(folder / "reports", as_of="2026-02-02", source=str(folder / "own.csv"))))
    one, other = (o.folder / "results" for o in outcomes)
    names = sorted(p.name for p in one.iterdir())
    assert names == sorted(p.name for p in other.iterdir())
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    run = outcomes[0].run
    assert run.status == "open"
    assert "FX-S0" not in (one / "alignment.csv").read_text()  # published after the close of that day
    pages = [without_provenance((o.folder / "report.html").read_text()) for o in outcomes]
    # the masthead names the file and how far it reaches, the closing tables its hash
    strip = [re.sub(r"(?s)<header.*?</header>|<h2 id=\"parameters-and-inputs\">.*", "", p) for p in pages]
    assert strip[0] == strip[1]


def test_the_alignment_notebook_runs_without_prices(reports):
    outcome = run_notebook(request(reports, "01_alignment", story="havas-wpp-2025", as_of="2025-12-01"))
    assert outcome.run.outcome is None
    assert len(pd.read_csv(outcome.folder / "results" / "registry.csv")) > 40
    assert "havas-wpp-2025" in (reports / "index.html").read_text()


def test_the_alignment_notebook_takes_its_day_from_the_prices(reports):
    """Without an as-of it opens them, and with them the table of their faults."""
    outcome = run_notebook(RunRequest("01_alignment", {"story": "tesla-model2-2024"}, StudyRoot(ROOT), reports))
    assert "tesla-model2-2024" in outcome.folder.name


def test_minutes_are_published_by_the_runner_too(tmp_path):
    """Reuters' report and the denial of 5 April 2024: two stretches, each with its number."""
    outcome = run_notebook(request(tmp_path, "06_minutes", story="tesla-model2-2024", as_of="2024-04-05"))
    held = pd.read_csv(outcome.folder / "results" / "minutes.csv")
    declared = held[held["is_declared"]]
    assert declared["estimate"].tolist() == [outcome.run.headline["estimate"], outcome.run.companion["estimate"]]
    assert declared["p_holm"].max() < 0.05
