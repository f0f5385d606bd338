"""What a scheduler sees: exit codes, one sentence, and nothing left behind."""

from __future__ import annotations

import json
import shutil

import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner
from event_impact.base.errors import ConfigError
from event_impact.base.root import IMPORT_ROOT
from event_impact.cli.context import gather_parameters
from event_impact.cli.main import main
from event_impact.market.snapshot import open_source
from stories import ROOT


@pytest.fixture
def call(tmp_path):
    """Run the command line in-process; reports go to a folder that must not appear for refusals."""

    def run(*arguments: str, root=ROOT):
        return CliRunner().invoke(main, ["--root", str(root), *arguments])

    return run


@pytest.fixture
def study(tmp_path):
    """A copy of the study whose files may be damaged."""
    root = tmp_path / "study"
    shutil.copytree(ROOT / "data", root / "data", ignore=shutil.ignore_patterns("vintages"))
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    return root


RUN = ("run", "02_event_study")

REFUSED = {
    "unknown notebook": ("run", "99_nothing"),
    "notebook outside": ("run", "../02_event_study"),
    "unknown story": (*RUN, "--story", "ford-apple"),
    "story traversal": (*RUN, "--story", "../ford-xiaomi"),
    "story homoglyph": (*RUN, "--story", "f\u043erd-xiaomi"),
    "story null": (*RUN, "--story", "ford\u0000xiaomi"),
    "unknown parameter": (*RUN, "-p", "estimation_session=250"),
    "parameter without value": (*RUN, "-p", "mask"),
    "parameter twice": (*RUN, "-p", "mask=none", "-p", "mask=listed"),
    "story twice": (*RUN, "--story", "ford-xiaomi", "-p", "story=ford-xiaomi"),
    "malformed date": (*RUN, "--as-of", "13-02-2026"),
    "impossible date": (*RUN, "--as-of", "2026-02-30"),
    "closed day": (*RUN, "--as-of", "2026-02-14"),
    "holiday": (*RUN, "--as-of", "2026-02-16"),
    "before the event": (*RUN, "--as-of", "2026-01-30"),
    "windows overlap the estimation window": (*RUN, "-p", "windows=0:0,-11:0"),
    "windows leave the study": (*RUN, "-p", "windows=0:0,0:61"),
    "windows without headline": (*RUN, "-p", "windows=0:1"),
    "nan": (*RUN, "-p", "significance=nan"),
    "infinite": (*RUN, "-p", "equivalence_bound=inf"),
    "percent for fraction": (*RUN, "-p", "equivalence_bound=2"),
    "text for number": (*RUN, "-p", "estimation_sessions=many"),
    "unknown model": (*RUN, "-p", "model=ols"),
    "bad ticker": (*RUN, "-p", "benchmark=SPY;ls"),
    "empty source": (*RUN, "--source", " "),
    "align without story": ("align",),
    "align both": ("align", "ford-xiaomi", "--all"),
}
UNSERVED = {
    "as_of after the data": (*RUN, "--as-of", "2026-04-01"),
    "source missing": (*RUN, "--source", "nowhere.csv"),
    "benchmark without prices": (*RUN, "-p", "benchmark=QQQ"),
    "history too short": (
        *RUN,
        "-p",
        "estimation_sessions=1000",
        "--story",
        "ford-ev-spinoff-2022",
        "--as-of",
        "2022-03-04",
    ),
    "firm as its own benchmark": (*RUN, "-p", "benchmark=F"),
}
UNSERVED["no figures"] = (*RUN, "--story", "havas-wpp-2025", "--as-of", "2025-12-01")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [*((a, 2) for a in REFUSED.values()), *((a, 3) for a in UNSERVED.values())],
    ids=[*REFUSED, *UNSERVED],
)
def test_bad_requests(call, tmp_path, arguments, code):
    reports = tmp_path / "reports"
    extra = ("--reports", str(reports)) if arguments[0] == "run" else ()
    result = call(*arguments, *extra)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line.startswith("impact: ")]
    assert len(lines) == 1
    assert "Traceback" not in result.output
    assert not reports.exists()


def damage_manifest(root):
    path = root / "data" / "snapshot" / "F.csv"
    path.write_text(path.read_text().replace("13.81", "13.18"))


def damage_registry(root):
    path = root / "data" / "articles.csv"
    path.write_text(path.read_text().replace("2026-01-31T18:29:00Z", "2026-01-30T18:29:00Z", 1))


def remove_registry(root):
    (root / "data" / "articles.csv").unlink()


def rename_column(root):
    path = root / "data" / "stories.csv"
    path.write_text(path.read_text().replace("benchmark", "index", 1))


def double_story(root):
    path = root / "data" / "stories.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[1]]))


def cut_registry(root):
    path = root / "data" / "articles.csv"
    path.write_bytes(path.read_bytes()[:1200])


@pytest.mark.parametrize(
    "damage", [damage_manifest, damage_registry, remove_registry, rename_column, double_story, cut_registry]
)
def test_damaged_data(call, study, tmp_path, damage):
    damage(study)
    result = call(*RUN, "--reports", str(tmp_path / "reports"), root=study)
    assert result.exit_code == 3, result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "reports").exists()


def test_a_notebook_without_parameters_cell_is_refused(call, study, tmp_path):
    path = study / "notebooks" / "02_event_study.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata["tags"] = [t for t in cell.metadata.get("tags", []) if t != "parameters"]
    nbformat.write(notebook, path)
    result = call(*RUN, "--reports", str(tmp_path / "reports"), root=study)
    assert result.exit_code == 2
    assert "0 cells tagged `parameters`" in result.stderr
    path.write_text("{}")
    assert call(*RUN, root=study).exit_code == 2


@pytest.fixture
def own(tmp_path):
    store = open_source("snapshot", ROOT / "data")
    frames = []
    for ticker in ("F", "SPY"):
        frame = store.load(ticker, "XNYS").frame.loc["2024-06-03":].reset_index().rename(columns={"session": "date"})
        frame.insert(1, "ticker", ticker)
        frames.append(frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d")))
    return pd.concat(frames, ignore_index=True)


def is_firm(frame):
    return frame["ticker"] == "F"


OWN_DAMAGES = {
    "constant firm": lambda f: f.assign(**{c: f[c].where(~is_firm(f), 10.0) for c in ("open", "high", "low", "close")}),
    "benchmark missing": lambda f: f[is_firm(f)],
    "a calendar of another exchange": lambda f: f[f["date"] != "2025-07-03"],
    "duplicated": lambda f: pd.concat([f, f.iloc[[10]]]),
    "re-ordered": lambda f: pd.concat([f.iloc[20:], f.iloc[:20]]),  # newest first as a whole is a vendor's form
    "wrong scale": lambda f: f.assign(
        **{c: f[c].where(f["date"] < "2025-06-02", f[c] * 100) for c in ("open", "high", "low", "close")}
    ),
    "text": lambda f: f.astype({"close": object}).assign(close=lambda g: g["close"].where(g.index != 5, "x")),
    "zones": lambda f: f.assign(date=f["date"] + "T05:00:00+00:00"),
    "empty": lambda f: f.iloc[:0],
}


@pytest.mark.parametrize("damage", OWN_DAMAGES)
def test_own_data_is_checked_as_hard(call, own, tmp_path, damage):
    path = tmp_path / "own.csv"
    OWN_DAMAGES[damage](own).to_csv(path, index=False)
    result = call(*RUN, "--source", str(path), "--reports", str(tmp_path / "reports"))
    assert result.exit_code == 3, result.output
    assert not (tmp_path / "reports").exists()
    assert ("to mix vendors, put a copy of data/snapshot/SPY.csv beside" in result.stderr) == (
        damage == "benchmark missing"
    )


def test_a_mask_inside_a_tested_window_is_refused(call, study, tmp_path):
    path = study / "data" / "confounders.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows.loc[(rows["ticker"] == "F") & (rows["session"] == "2026-02-02"), "is_masked"] = "yes"
    rows.to_csv(path, index=False)
    result = call(*RUN, "-p", "mask=listed", "--reports", str(tmp_path / "reports"), root=study)
    assert result.exit_code == 3
    assert "2026-02-02, which lies inside a tested window" in result.stderr


def test_json_errors_are_one_line(call):
    result = call("--json", "run", "nothing")
    assert json.loads(result.stdout)["exit_code"] == 2


def test_stories_and_align(call):
    listed = call("stories")
    assert listed.exit_code == 0
    assert "ford-xiaomi" in listed.stdout
    shown = call("align", "ford-xiaomi")
    assert "joint" in shown.stdout
    assert "only their joint effect" in shown.stdout
    every = call("--json", "align", "--all")
    assert len(json.loads(every.stdout)) == len(listed.stdout.splitlines())


def test_align_writes_a_table(call, tmp_path):
    target = tmp_path / "all.csv"
    assert call("align", "--all", "--out", str(target)).exit_code == 0
    table = pd.read_csv(target)
    assert table["story"].nunique() == 57
    assert table["reason"].str.len().min() > 20


def test_instants_on_any_calendar(call):
    """The early close of 2025-11-28 at 13:00, the lunch break of Tokyo, a Sunday session of Riyadh."""
    result = call(
        "--json", "align", "--exchange", "XNYS", "--at", "2025-11-28T12:59-05:00", "--at", "2025-11-28T18:00Z"
    )
    assert result.exit_code == 0, result.stderr
    before, after = json.loads(result.stdout)
    assert (before["close_session"], before["close_at"], before["is_near_close"]) == (
        "2025-11-28", "2025-11-28T18:00:00Z", True,
    )  # fmt: skip
    assert (before["open_session"], after["close_session"], after["phase"]) == (
        "2025-12-01", "2025-12-01", "after_close",
    )  # fmt: skip
    tokyo = json.loads(call("--json", "align", "--exchange", "XTKS", "--at", "2025-11-28T02:45Z").stdout)[0]
    assert (tokyo["phase"], tokyo["close_session"]) == ("lunch_break", "2025-11-28")
    sunday = call("align", "--exchange", "XSAU", "--at", "2025-11-29T12:00Z").stdout
    assert "(Sat 2025-11-29 15:00 on XSAU, weekend): in the return that closes on 2025-11-30" in sunday


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--at", "2025-11-28T18:00Z"), "go together"),
        (("--exchange", "XNYS"), "go together"),
        (("ford-xiaomi", "--exchange", "XNYS", "--at", "2025-11-28T18:00Z"), "without a story"),
        (("--exchange", "XNYS", "--at", "2025-11-28T18:00"), "names no zone"),
        (("--exchange", "XNYS", "--at", "noon"), "is no instant"),
        (("--exchange", "NYSE!", "--at", "2025-11-28T18:00Z"), "unknown exchange"),
        (("--exchange", "XNYS", "--at", "1990-11-28T18:00Z"), "before the first known session"),
        (("--exchange", "XSES", "--at", "2027-03-01T18:00Z"), "after the last known session"),
        (("--exchange", "XNYS", "--at", "9999-03-01T18:00Z"), "outside the known sessions"),
        (("--exchange", "XNYS", "--at", "9999-12-31T23:59:59-12:00"), "outside the calendar"),
    ],
)
def test_instants_that_cannot_be_located(call, arguments, words):
    result = call("align", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_assignments():
    assert gather_parameters(("a=b=c", "d=")) == {"a": "b=c", "d": ""}
    with pytest.raises(ConfigError):
        gather_parameters(("a",))


def test_help_is_light():
    import subprocess
    import sys

    heavy = "('pandas', 'numpy', 'papermill', 'hashlib', 'json', 'ctypes', 'difflib')"
    code = f"import sys, event_impact.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=IMPORT_ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_of_another_story_as_of_is_the_last_session_of_its_source(call, tmp_path):
    """The default of the focal story is never lent to another; without prices there is no last session."""
    from event_impact import Study

    last = open_source("snapshot", ROOT / "data").load("TSLA", "XNAS").frame.index[-1]
    study = Study("tesla-ceo-search-2025", root=ROOT)
    assert (study.config.source, study.as_of) == ("snapshot", last.date())
    result = call("run", "02_event_study", "--story", "havas-wpp-2025", "--reports", str(tmp_path / "reports"))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "as_of is not given, and" in result.stderr
    assert "Name a session from 2025-" in result.stderr
    assert not (tmp_path / "reports").exists()


def test_a_relative_source_reaches_the_kernel_by_its_full_path(tmp_path, monkeypatch):
    from event_impact.base.root import StudyRoot
    from event_impact.runs.requests import RunRequest, prepare

    for ticker in ("F", "SPY"):
        frame = pd.read_csv(ROOT / "data" / "snapshot" / f"{ticker}.csv").drop(columns="adj_close")
        frame.assign(ticker=ticker).to_csv(tmp_path / f"{ticker}.csv", index=False)
    monkeypatch.chdir(tmp_path.parent)
    request = RunRequest("02_event_study", {"source": tmp_path.name}, StudyRoot(ROOT), tmp_path / "reports")
    assert prepare(request).request.parameters["source"] == str(tmp_path.resolve())


@pytest.mark.parametrize("option", ["--quiet", "--json", "--debug"])
def test_an_option_of_the_command_that_stands_behind_a_verb_is_told_where_it_belongs(call, option):
    told = call("stories", option)
    assert told.exit_code == 2
    assert f"{option} stands before the verb: impact {option} stories ..." in told.stderr
    assert "stands before" not in call("stories", "--quit").stderr
