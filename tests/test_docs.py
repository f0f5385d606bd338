"""README and docs hold what they say: every command parses, every example runs, every picture is of today."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from event_impact.base.root import StudyRoot
from event_impact.cli.main import main
from event_impact.runs.requests import find_notebook, read_declaration, read_notebook
from stories import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "data" / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
OTHERS = ("make", "cd", "conda", "pytest", "pip", ".", "eval", "_IMPACT_COMPLETE=fish_source")
"""Commands of a reader's shell that are not ours; targets of make are held by another test."""


def list_commands() -> list[tuple[str, list[str]]]:
    """Every line of every shell block, with its page."""
    found = []
    for page in PAGES:
        for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language == "":
                for line in text.replace("\\\n", " ").splitlines():
                    if words := shlex.split(line, comments=True):
                        found.append((page.name, words))
    return found


COMMANDS = list_commands()


@pytest.mark.parametrize(("page", "words"), [c for c in COMMANDS if c[1][0] == "impact"], ids=lambda v: str(v)[:60])
def test_an_impact_command_parses(page: str, words: list[str]) -> None:
    """Down to the verb: its arguments and options are those that the command line takes."""
    arguments = [word for word in words[1:] if word != "--json"]
    command: click.Command = main
    with click.Context(main, info_name="impact") as context:
        while isinstance(command, click.Group):
            name, found, arguments = command.resolve_command(context, arguments)
            assert found is not None
            command = found
        command.make_context(name, arguments, parent=context)


@pytest.mark.parametrize(("page", "words"), [c for c in COMMANDS if c[1][0] == "papermill"], ids=lambda v: str(v)[:60])
def test_a_papermill_command_names_parameters_of_its_notebook(page: str, words: list[str]) -> None:
    notebook = find_notebook(StudyRoot(ROOT), Path(words[1]).name)
    declared = read_declaration(read_notebook(notebook), "parameters")
    assert (ROOT / words[1]) == notebook
    assert words[2].endswith(".ipynb")
    flags = words[3:]
    assert flags[::3] == ["-p"] * (len(flags) // 3)
    assert set(flags[1::3]) <= set(declared)


def test_every_other_command_is_known() -> None:
    ours = ("impact", "papermill")
    for page, words in COMMANDS:
        if words[:2] == ["jupyter", "nbconvert"]:
            assert (ROOT / words[-1]).is_file()
        elif words[0] not in ours:
            assert words[0] in OTHERS, (page, words)
    assert len(COMMANDS) > 40


@pytest.mark.parametrize(
    "page", [p for p in PAGES if "```python" in p.read_text(encoding="utf-8")], ids=lambda p: p.stem
)
def test_the_python_of_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(text, page.name, "exec"), {})


def test_verbs_named_in_a_line_exist() -> None:
    for page in PAGES:
        for verb in re.findall(r"`impact (?:--\w+ )?([a-z]+)\b", page.read_text(encoding="utf-8")):
            assert verb in main.verbs, (page.name, verb)


def test_the_shown_answer_is_the_one_that_is_given() -> None:
    """``docs/ask.txt`` is made by ``examples/picture.py``."""
    shown = (ROOT / "docs" / "ask.txt").read_text(encoding="utf-8")
    question, _, answer = shown.partition("\n")
    words = shlex.split(question.removeprefix("$ impact"))
    assert CliRunner().invoke(main, ["--root", str(ROOT), *words, "--offline"]).stdout == answer


def test_the_pages_for_programs_say_where_the_schemas_lie() -> None:
    said = (ROOT / "docs" / "llms.txt").read_text(encoding="utf-8")
    for path in re.findall(r"`event_impact/([\w/.]+\.json)`", said):
        assert (ROOT / "analysis" / "event_impact" / path).is_file()
    assert "answers.schema.json" in said


LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)#?([^)\s]*)\)")


def find_broken(page: Path) -> list[str]:
    """Links of a page to a file that is not there, or to a heading that its page has not."""
    broken = []
    for file, heading in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        heads = (
            re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE) if heading and target.is_file() else []
        )
        slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
        if not target.exists() or (heading and heading not in slugs):
            broken.append(f"{file}#{heading}")
    return broken


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert find_broken(page) == []


def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A head\n[a](page.md#a-head) [b](gone.md) [c](#no-head) [d](https://paper.example/x)\n")
    assert find_broken(page) == ["gone.md#", "#no-head"]
