"""A new study from an existing one: the notebooks, the tables and figures, a place for reports."""

import contextlib
import os
import shutil
from pathlib import Path

from event_impact.base.disk import publish_folder, staging_folder, write_text, writing
from event_impact.base.errors import ConfigError, DataError
from event_impact.base.root import StudyRoot

LEFT_OUT = shutil.ignore_patterns("vintages", "watched.csv", ".lock", "__pycache__", ".ipynb_checkpoints", "*.pyc")
STORY_TABLES = ("stories.csv", "articles.csv", "claims.csv", "confounders.csv", "doubts.csv")
REPORTS_README = """# Rendered reports

Every run publishes one folder here, named after its date, story and notebook; `index.html` lists them,
newest first. Nothing in this folder is needed to run the study, and no run changes the folder of another.
"""


def lay_out_study(origin: StudyRoot, target: Path, *, with_examples: bool = True) -> Path:
    """Copy a study into a new or empty folder, whole or not at all.

    A folder that is there already, with nothing or only hidden files in it, stays the same folder.

    Parameters
    ----------
    origin : StudyRoot
        The study to copy; its vintages and runs stay behind.
    target : pathlib.Path
        A new or empty folder.
    with_examples : bool
        With its stories; else the tables of :data:`STORY_TABLES` are empty.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ConfigError
        If the folder holds anything, is no folder, or lies inside what is copied.
    DataError
        If it cannot be written.
    """
    target = Path(os.path.normpath(target.expanduser().absolute()))
    if target.exists() and (not target.is_dir() or any(p.name[0] != "." for p in target.iterdir())):
        what = "holds files already" if target.is_dir() else "is no folder"
        left = " What an interrupted impact init left (notebooks, reports, no data) are copies: remove them first."
        raise ConfigError(f"{target} {what}.", f"Name a new or empty folder.{left * (not (target / 'data').exists())}")
    if any(part in (target.resolve(), *target.resolve().parents) for part in (origin.notebooks, origin.data)):
        raise ConfigError(f"{target} lies inside the study that would be copied.", "Name a folder elsewhere.")
    with staging_folder(target.with_name(f".{target.name}-{os.getpid()}"), refusal=DataError) as staging:
        with writing(target, refusal=DataError):
            _fill(origin, staging, with_examples=with_examples)
            if target.exists():
                with contextlib.ExitStack() as undo:  # a copy that is not whole goes again
                    for part in ("notebooks", "reports", "data"):  # the last makes it a study
                        (staging / part).rename(target / part)
                        undo.callback(shutil.rmtree, target / part)
                    undo.pop_all()
                return target
        return publish_folder(staging, target, refusal=DataError)


def _fill(origin: StudyRoot, folder: Path, *, with_examples: bool) -> None:
    shutil.copytree(origin.notebooks, folder / "notebooks", ignore=LEFT_OUT)
    shutil.copytree(origin.data, folder / "data", ignore=LEFT_OUT)
    for path in (folder / "data").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # an installed package may be read-only
    for name in () if with_examples else STORY_TABLES:
        path = folder / "data" / name
        if path.is_file():
            path.write_bytes(path.read_bytes().split(b"\n", 1)[0] + b"\n")
    (folder / "reports").mkdir()
    readme = origin.reports / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else REPORTS_README
    write_text(folder / "reports" / "README.md", text)
