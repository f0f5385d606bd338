"""The files that must say the same thing: pyproject, environment.yml, the locks and the README."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {"matplotlib": "matplotlib-base", "nbconvert": "nbconvert-core"}
FROM_PYPI = {"exchange-calendars", "yfinance"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def split(requirement: str) -> tuple[str, str]:
    name, bound = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[[a-z]+\])?(.*)", requirement).groups()
    return normal(name), bound


def test_environment_and_pyproject_agree(project):
    rattler = pytest.importorskip("rattler")
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda, pip = {}, {}
    for entry in environment["dependencies"]:
        if isinstance(entry, dict):
            pip = dict(split(e) for e in entry["pip"] if not e.startswith("-"))
        else:
            rattler.MatchSpec(entry)  # must be a valid conda specification
            name = re.match(r"[a-z0-9_.-]+", entry)[0]
            conda[name] = entry[len(name) :]
    assert conda.pop("python") == project["requires-python"]
    conda.pop("pip")
    wanted = dict(split(r) for r in project["dependencies"] + project["optional-dependencies"]["lab"])
    assert pip == {name: wanted[name] for name in FROM_PYPI}
    expected = {CONDA_NAMES.get(n, n): bound for n, bound in wanted.items() if n not in FROM_PYPI}
    assert conda == expected


def read_lock(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    assert "://" not in text.replace("file://", "://")
    assert "--hash=sha256:" in text
    return {normal(n): v for n, v in re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", text, flags=re.MULTILINE)}


@pytest.mark.parametrize("extra", ["", "cluster", "dev", "ingest", "lab"])
def test_locks_hold_every_requirement_within_its_bound(project, extra):
    lock = read_lock(f"requirements{'-' + extra if extra else ''}.lock")
    runtime = read_lock("requirements.lock")
    wanted = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])
    for requirement in wanted:
        name, bound = split(requirement)
        assert name in lock, f"{name} is not locked"
        least = tuple(int(p) for p in bound.removeprefix(">=").split("."))
        held = tuple(int(p) for p in re.findall(r"\d+", lock[name])[: len(least)])
        assert held >= least
    assert {n: lock[n] for n in runtime} == runtime  # an extra never moves a runtime version


def test_every_locked_line_has_a_hash():
    for path in ROOT.glob("requirements*.lock"):
        for block in re.split(r"\n(?=\S)", path.read_text().strip()):
            if not block.startswith("#"):
                assert "--hash=sha256:" in block, block.splitlines()[0]


def test_versions_agree(project):
    from event_impact import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert f'"{project["name"]}' in (ROOT / "CITATION.cff").read_text()


def test_the_readme_names_commands_that_exist(project):
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z]+)`", readme)) | set(
        re.findall(r"^make ([a-z]+)", readme, re.MULTILINE)
    ):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    from event_impact.cli.main import LAZY_COMMANDS, main

    for verb in set(re.findall(r"(?m)(?:`|^)impact ([a-z]+)\b", readme)):
        assert verb in main.commands or verb in LAZY_COMMANDS, verb
    for path in set(re.findall(r"`((?:analysis|data|tests|notebooks|reports)/[\w./-]+)`", readme)):
        assert (ROOT / path).exists() or path.startswith(("reports/", "data/vintages")), path


def test_the_readme_names_every_part_of_the_house():
    """The architecture section matches the code: all rooms, all modules above them, all notebooks."""
    readme = (ROOT / "README.md").read_text()
    parts = {p.name for p in (ROOT / "analysis").glob("*.py")} - {"__init__.py"}
    parts |= {f"{p.name}/" for p in (ROOT / "analysis").iterdir() if (p / "__init__.py").is_file()}
    parts |= {p.stem if p.stem[0].isdigit() else p.name for p in (ROOT / "notebooks").glob("*.ipynb")}
    assert [name for name in sorted(parts) if f"{name}`" not in readme] == []
    named = re.findall(r"`([a-z_]+\.py)`", readme)
    assert [name for name in named if name not in parts] == []


def test_the_python_example_of_the_readme_runs(capsys):
    readme = (ROOT / "README.md").read_text()
    example = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("-0.0103")
