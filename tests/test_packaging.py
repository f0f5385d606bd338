"""The files that must say the same thing: pyproject, environment.yml, the locks and the README."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {
    "dask": "distributed",
    "jupyter-client": "jupyter_client",
    "matplotlib": "matplotlib-base",
    "nbconvert": "nbconvert-core",
}
FROM_PYPI = {"curl-cffi", "exchange-calendars", "filelock", "yfinance"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements(project: dict, *extras: str) -> list[str]:
    return project["dependencies"] + [r for extra in extras for r in project["optional-dependencies"][extra]]


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
    wanted = dict(split(r) for r in requirements(project, *project["optional-dependencies"]))
    assert pip == {name: wanted[name] for name in FROM_PYPI}
    expected = {CONDA_NAMES.get(n, n): bound for n, bound in wanted.items() if n not in FROM_PYPI}
    assert conda == expected


def read_lock(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    assert "://" not in text.replace("file://", "://")
    assert "--hash=sha256:" in text
    return {normal(n): v for n, v in re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", text, flags=re.MULTILINE)}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_hold_every_requirement_within_its_bound(project, name):
    lock, runtime = read_lock(name), read_lock("requirements.lock")
    extras = project["optional-dependencies"] if name == "requirements-dev.lock" else ()
    for requirement in requirements(project, *extras):
        distribution, bound = split(requirement)
        assert distribution in lock, f"{distribution} is not locked"
        least = tuple(int(p) for p in bound.removeprefix(">=").split("."))
        held = tuple(int(p) for p in re.findall(r"\d+", lock[distribution])[: len(least)])
        assert held >= least
    assert {n: lock[n] for n in runtime} == runtime  # an extra never moves a runtime version


def test_there_are_two_locks_and_none_of_another_tool():
    assert {p.name for p in ROOT.glob("*.lock")} - {"uv.lock"} == {"requirements.lock", "requirements-dev.lock"}
    assert "uv.lock" in (ROOT / ".gitignore").read_text().split()


def test_what_the_package_imports_is_declared(project):
    """In the runtime list or an extra that a user can ask for; ``dev`` is for those who work on it."""
    imported = set()
    for path in (ROOT / "analysis" / "event_impact").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.partition(".")[0])
    foreign = {{"bs4": "beautifulsoup4"}.get(name, name) for name in imported - sys.stdlib_module_names}
    extras = set(project["optional-dependencies"]) - {"dev"}
    declared = {split(r)[0] for r in requirements(project, *extras)} | {"distributed"}
    assert {normal(name) for name in foreign} - declared == {"event-impact"}


def test_every_locked_line_has_a_hash():
    for path in ROOT.glob("requirements*.lock"):
        for block in re.split(r"\n(?=\S)", path.read_text().strip()):
            if not block.startswith("#"):
                assert "--hash=sha256:" in block, block.splitlines()[0]


def test_the_wheel_holds_the_package_and_a_study_and_nothing_that_git_ignores(tmp_path):
    builders = pytest.importorskip("hatchling.builders.wheel")
    tracked = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    )
    for name in [*tracked[:-1], "data/vintages/2026-01-01T000000Z/F.csv"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / (name if "vintages" not in name else "data/snapshot/F.csv"), tmp_path / name)
    (wheel,) = builders.WheelBuilder(str(tmp_path)).build(versions=["standard"])
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {name.removeprefix("analysis/") for name in tracked if name.startswith("analysis/event_impact/")}
    study = {f"event_impact/_study/{n}" for n in tracked if n.startswith(("data/", "notebooks/"))}
    assert held == package | study


def test_hooks_are_local():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {repository["repo"] for repository in hooks["repos"]} == {"local"}


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
    from event_impact.cli.main import main

    for verb in set(re.findall(r"(?m)(?:`|^)impact ([a-z]+)\b", readme)):
        assert verb in main.verbs, verb
    for path in set(re.findall(r"`((?:analysis|data|tests|notebooks|reports)/[\w./-]+)`", readme)):
        assert (ROOT / path).exists() or path.startswith(("reports/", "data/vintages")), path


def test_the_readme_is_one_page_and_names_every_notebook():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 150
    notebooks = [p.stem if p.stem[0].isdigit() else p.name for p in (ROOT / "notebooks").glob("*.ipynb")]
    assert [name for name in notebooks if f"{name}`" not in readme] == []


def test_the_architecture_names_every_room():
    said = (ROOT / "docs" / "architecture.md").read_text()
    package = ROOT / "analysis" / "event_impact"
    rooms = [p.name for p in package.iterdir() if (p / "__init__.py").is_file()]
    assert [name for name in rooms if f"`{name}`" not in said] == []


def test_the_python_example_of_the_readme_runs(capsys):
    readme = (ROOT / "README.md").read_text()
    example = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("Ford: no detectable move after the Xiaomi story.")
