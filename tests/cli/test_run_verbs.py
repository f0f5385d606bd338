"""The verbs about runs and nights, through the command line itself."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from event_impact.base.errors import RenderError
from event_impact.cli.main import main
from event_impact.page import paper

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(ROOT / "tests/reporting"))
    from event_impact.runs.run import run_notebook
    from small_study import execute_fake, make_study, request

    made = make_study(tmp_path / "study")
    run_notebook(request(made), execute=execute_fake)
    return made.path


def call(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--root", str(root), *arguments])


def test_every_verb_can_be_loaded() -> None:
    """Each is listed under its user, has an example in its help, and its summary is whole."""
    listed = CliRunner().invoke(main, ["--help"]).stdout
    assert re.findall(r"^(\w[\w ]+):$", listed, re.MULTILINE)[-5:] == [
        "Analyse", "Articles and stories", "Evenings", "Reviews", "Many events",
    ]  # fmt: skip
    for name, entry in main.verbs.items():
        assert re.search(rf"^  {name} +{re.escape(entry['help'])}$", listed, re.MULTILINE), name
        own = [[name, verb] for verb in getattr(main.get_command(None, name), "commands", ())] or [[name]]
        for words in own:
            shown = CliRunner().invoke(main, [*words, "--help"])
            assert shown.exit_code == 0, words
            assert f"Example: impact {' '.join(words)}" in shown.stdout, words


def test_run_says_what_can_be_run(root: Path) -> None:
    shown = " ".join(call(root, "run", "--help").stdout.split())
    assert "Notebooks: 01_small" in shown
    assert "estimation_sessions, gap_sessions" in shown
    assert "ff5_mom" in shown


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("verfy", "latest"), "verify"),
        (("align", "ford-xiaomy"), "ford-xiaomi"),
        (("run", "01_smal"), "01_small"),
        (("run", "01_small", "-p", "sed=3"), "seed"),
        (("story", "plan", "ford-xiaomi", "-p", "model=marke"), "market"),
    ],
)
def test_a_slip_of_the_pen_is_answered_with_what_was_meant(root: Path, arguments: tuple[str, ...], near: str) -> None:
    done = call(root, *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"Did you mean {near}" in done.stderr


def complete(root: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What bash would offer at the end of a line."""
    from click.shell_completion import BashComplete

    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - (not words.endswith(" "))))
    monkeypatch.setenv("IMPACT_ROOT", str(root))
    return [line.partition(",")[2] for line in BashComplete(main, {}, "impact", "_IMPACT_COMPLETE").complete().split()]


def test_stories_notebooks_runs_and_verbs_complete(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = next(p.name for p in (root / "reports").iterdir() if (p / "run.json").is_file())
    assert complete(root, "impact ver", monkeypatch) == ["verify"]
    assert complete(root, "impact run 0", monkeypatch) == ["01_small"]
    assert complete(root, "impact run 01_small --story ford-x", monkeypatch) == ["ford-xiaomi"]
    assert complete(root, "impact show ", monkeypatch) == ["latest", published]
    assert complete(root / "nowhere", "impact show ", monkeypatch) == []


def test_colour_only_where_it_is_seen(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = ["--root", str(root), "show", "nothing"]
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in CliRunner().invoke(main, refusal).stderr
    assert "\x1b[31mimpact:" in CliRunner().invoke(main, refusal, color=True).stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in CliRunner().invoke(main, refusal, color=True).stderr


def test_stages_say_how_long_it_took(root: Path) -> None:
    stages = call(root, "run", "01_small", "--story", "ford-xiaomi", "--as-of", "2026-02-14")
    assert re.match(r" *\d+\.\d s  check: parameters", stages.stderr)


def test_list_show_and_open(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = call(root, "list")
    name = listed.stdout.split()[1]
    assert listed.exit_code == 0
    shown = call(root, "show", "latest")
    assert name in shown.stdout
    assert "Nothing seen in ford-xiaomi." in shown.stdout
    record = json.loads(CliRunner().invoke(main, ["--root", str(root), "--json", "show", name]).stdout)
    assert record["status"] == "final"
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: bool(opened.append(address)) or True)
    assert call(root, "open").stdout.strip().endswith("index.html")
    assert opened[0].startswith("file://")
    assert call(root, "show", "../../etc").exit_code == 2
    assert call(root, "list", "--failed").stdout == "no runs yet\n"


def test_print_through_a_browser_or_a_clear_refusal(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "chromium"
    fake.write_text(
        '#!/bin/sh\nfor a in "$@"; do case "$a" in --print-to-pdf=*) printf "%%PDF-1.4" > "${a#--print-to-pdf=}";; esac; done\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv(paper.VARIABLE, str(fake))
    out = tmp_path / "run.pdf"
    assert call(root, "print", "latest", "--out", str(out)).exit_code == 0
    assert out.read_bytes().startswith(b"%PDF")
    beside = Path(call(root, "print", "latest").stdout.strip())
    assert (beside.parent, beside.suffix, beside.is_file()) == (root / "reports", ".pdf", True)
    assert "files changed" not in call(root, "show", "latest").stdout
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    refused = call(root, "print", "latest", "--out", str(out))
    assert refused.exit_code == 5
    assert "broken" in refused.stderr
    monkeypatch.setenv(paper.VARIABLE, "no-such-browser")
    missing = call(root, "print", "latest")
    assert missing.exit_code == RenderError.exit_code == 5
    assert "no Chromium was found" in missing.stderr


def test_prune_and_its_bounds(root: Path) -> None:
    assert call(root, "prune", "--keep", "1").stdout == "nothing to remove\n"
    assert call(root, "prune", "--keep", "0").exit_code == 2


def test_schedule_shows_one_line(root: Path) -> None:
    shown = call(root, "schedule", "show", "--time", "22:05", "--arguments", "--limit 1")
    assert shown.exit_code == 0
    assert "5 22 * * * cd " in shown.stdout
    assert shown.stdout.rstrip().splitlines()[1].endswith("nightly --limit 1")
    assert call(root, "schedule", "show", "--time", "25:00").exit_code == 2


def test_doctor_answers_in_json(root: Path) -> None:
    done = CliRunner().invoke(
        main, ["--root", str(root), "--json", "doctor", "--no-kernel", "--at", "2026-02-17T22:00:00Z"]
    )
    assert done.exit_code == 0
    assert {"question", "state", "answer", "exit_code"} <= set(json.loads(done.stdout)[0])


def test_nightly_refuses_what_it_cannot_read(root: Path) -> None:
    assert call(root, "nightly", "--at", "yesterday").exit_code == 2
    assert call(root, "nightly", "--at", "2026-02-13T22:00:00").exit_code == 2  # no zone
    assert call(root, "nightly", "--notify", "echo 'open", "--source", "snapshot").exit_code == 2


def test_nightly_ends_with_the_worst_code_and_tells(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "told.json"
    script = tmp_path / "tell.py"
    script.write_text("import sys\nopen(sys.argv[1], 'w').write(sys.stdin.read())\n")
    nothing = call(root, "nightly", "--source", "snapshot", "--at", "2026-02-02T12:00:00Z")
    assert nothing.exit_code == 0
    assert nothing.stdout.strip().endswith("nightly-summary.json")
    (root / "notebooks/01_small.ipynb").write_text("broken", encoding="utf-8")
    failed = call(
        root, "nightly", "--source", "snapshot", "--at", "2026-02-03T22:00:00Z",
        "--notify", f"{sys.executable} {script} {out}",
    )  # fmt: skip
    assert failed.exit_code == 2
    assert json.loads(out.read_text())["exit_code"] == 2


def test_fetch_names_what_is_wrong(root: Path) -> None:
    assert call(root, "fetch", "no-such-story").exit_code == 2
    assert call(root, "fetch", "F", "--start", "2026-2-1").exit_code == 2


def test_a_dossier_on_a_closed_day(root: Path) -> None:
    done = call(root, "dossier", "ford-xiaomi", "--as-of", "2026-02-14")
    assert done.exit_code == 2
    assert "2026-02-13" in done.stderr


def test_an_unexpected_defect_has_a_documented_code(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("event_impact.runs.store.find_run", break_down)
    done = call(root, "show", "latest")
    assert done.exit_code == 4
    assert "unexpected ZeroDivisionError" in done.stderr
