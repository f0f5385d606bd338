"""Where a study lives: the folder that holds ``notebooks/`` and ``data/stories.csv``."""

import os
from dataclasses import dataclass
from pathlib import Path

from event_impact.base.errors import ConfigError

ROOT_VARIABLE = "IMPACT_ROOT"
# Python then keeps the working folder out of the places it imports from.
SAFE_PATH = "PYTHONSAFEPATH"
PACKAGE = Path(__file__).resolve().parents[1]
IMPORT_ROOT = PACKAGE.parent
# In a checkout the package lies in ``analysis/``, beside ``notebooks/`` and ``data/``.
CHECKOUT = IMPORT_ROOT.parent
PACKAGED_STUDY = PACKAGE / "_study"
# Where the study that comes with the package lies.
SHIPPED = (CHECKOUT, PACKAGED_STUDY)


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a Python started from this one: this package first, and nothing from its working folder.

    A desk may hold ``event_impact/``, ``statistics/`` or ``calendar.py`` of its own.
    """
    paths = [str(IMPORT_ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), SAFE_PATH: "1", **more}


@dataclass(frozen=True)
class StudyRoot:
    """The folders of one study.

    Attributes
    ----------
    path : pathlib.Path
        Its top folder, which holds ``notebooks/`` and ``data/stories.csv``.
    """

    path: Path

    @property
    def data(self) -> Path:
        """Hand-curated tables and recorded prices."""
        return self.path / "data"

    @property
    def notebooks(self) -> Path:
        """The parameterised notebooks."""
        return self.path / "notebooks"

    @property
    def reports(self) -> Path:
        """Published runs."""
        return self.path / "reports"

    @property
    def is_packaged(self) -> bool:
        """Whether this is the read-only copy that came with the installed package."""
        return self.path == PACKAGED_STUDY


def holds_study(path: Path) -> bool:
    """Whether a folder looks like the root of a study."""
    return (path / "notebooks").is_dir() and (path / "data" / "stories.csv").is_file()


def find_root(explicit: str | Path | None = None) -> StudyRoot:
    """Find the study: explicit path, ``IMPACT_ROOT``, nearest parent folder, packaged copy.

    Parameters
    ----------
    explicit : str or pathlib.Path, optional
        A folder that somebody named; it wins, and is refused if it holds no study.

    Returns
    -------
    StudyRoot

    Raises
    ------
    ConfigError
        If a path was named and holds no study, or none is found.
    """
    for origin, named in (("--root", explicit), (ROOT_VARIABLE, os.environ.get(ROOT_VARIABLE))):
        if named:
            path = Path(named).expanduser().resolve()
            if not holds_study(path):
                said = f"{origin} names {path}, which holds no notebooks/ and data/stories.csv."
                raise ConfigError(said, "Name the top folder of a study.")
            return StudyRoot(path)
    here = Path.cwd().resolve()
    for path in (here, *here.parents, *SHIPPED):
        if holds_study(path):
            return StudyRoot(path)
    hint = "Run inside a study, or name its folder with --root or IMPACT_ROOT."
    raise ConfigError(f"no study found in {here} or above it.", hint)
