"""What is asked of a run, and what is checked of it before its kernel starts; nothing is written under ``reports/``."""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from event_impact.base.clock import Clock, read_system_clock
from event_impact.base.code_digest import digest_package
from event_impact.base.errors import ConfigError, did_you_mean
from event_impact.base.root import StudyRoot
from event_impact.base.threads import can_fork
from event_impact.runs.forked import ForkedKernel, compute_meanwhile
from event_impact.runs.freshness import measure_freshness
from event_impact.runs.kernel_launch import KernelLimits, kernel_environment
from event_impact.runs.recall import settle_parameters
from event_impact.runs.store import StoredRun, find_finished
from event_impact.study.opened_study import OpenedStudy

if TYPE_CHECKING:
    from event_impact.study.sample_study import SampleStudy

NOTEBOOK_NAME = re.compile(r"[0-9]{2}_[a-z0-9_]+")
Progress = Callable[[str], None]
Execute = Callable[..., Any]
Notebook = dict[str, Any]


@dataclass(frozen=True)
class RunRequest:
    """What is asked: one notebook (or ``dossier``) with its parameters, and where the result goes.

    Attributes
    ----------
    has_lock : bool
        The caller already holds the story's lock (a dossier does, for all its notebooks).
    is_evening : bool
        Of a dossier: where it would say what that of the session before says, nothing is published.
    shelf : pathlib.Path, optional
        Where finished runs wait instead of being published, until their dossier is known to be new.
    clock : callable
        Gives the present instant; tests inject others.
    """

    notebook: str
    parameters: dict[str, Any]
    root: StudyRoot
    reports: Path
    is_forced: bool = False
    limits: KernelLimits = field(default_factory=KernelLimits)
    has_lock: bool = False
    is_evening: bool = False
    shelf: Path | None = None
    clock: Clock = read_system_clock


@dataclass(frozen=True)
class Prepared:
    """A request found good: the study opened, its inputs hashed, its folder named."""

    request: RunRequest
    study: "OpenedStudy | SampleStudy"
    notebook_path: Path
    notebook: Notebook
    inputs: dict[str, str]
    source: dict[str, Any] | None
    folder: Path = Path()

    @property
    def story(self) -> str:
        """Id of the story."""
        return self.study.name

    @property
    def arguments(self) -> dict[str, Any]:
        """All validated parameters that the notebook reads."""
        declared = read_declaration(self.notebook, "parameters")
        return {name: value for name, value in self.study.arguments.items() if name in declared}

    @property
    def parameters(self) -> dict[str, Any]:
        """The same with the story's benchmark filled in, as they are recorded."""
        return {name: self.study.parameters[name] for name in self.arguments}

    @property
    def states_verdict(self) -> bool:
        """Whether the record of the notebook is that of the story's verdict."""
        return any("study.record(" in "".join(cell["source"]) for cell in self.notebook["cells"])

    def find_published(self) -> StoredRun | None:
        """The run itself, where it is published and need not be made again."""
        return None if self.request.is_forced else find_finished(self.folder)

    @contextlib.contextmanager
    def forked(self) -> Iterator[ForkedKernel | None]:
        """A kernel that is a fork of this process, with all that is open here; None where one has to start anew."""
        limits, root = self.request.limits, self.request.root.path
        if limits.is_cold or not can_fork():
            yield None
            return
        begin = partial(self.begin, "curve", "controls")
        with contextlib.closing(ForkedKernel(kernel_environment(root, limits), root, begin)) as kernel:
            yield kernel

    def begin(self, *nouns: str) -> None:
        """Let the cells take the study as it is open here, and on a second core begin with the nouns that take longest."""
        study, has_core = self.study, len(os.sched_getaffinity(0)) > 1
        if self.states_verdict and isinstance(study, OpenedStudy) and has_core and "curve" not in vars(study):
            from event_impact.study.specifications import compute_longest

            study.ahead = compute_meanwhile(partial(compute_longest, study, nouns))
        study.offer()


def short_name(notebook: str) -> str:
    """``02_event_study`` as ``event-study``."""
    return notebook.split("_", 1)[1].replace("_", "-")


def find_notebook(root: StudyRoot, notebook: str) -> Path:
    """The notebook of a study by its name; nothing outside ``notebooks/`` is ever executed.

    Raises
    ------
    ConfigError
        If there is no such notebook.
    """
    name = notebook.removesuffix(".ipynb")
    held = sorted(p.stem for p in root.notebooks.glob("[0-9][0-9]_*.ipynb"))
    if not NOTEBOOK_NAME.fullmatch(name) or name not in held:
        hint = f"{did_you_mean(name, held)} The notebooks are: {', '.join(held) or 'none'}."
        raise ConfigError(f"unknown notebook {notebook!r}.", hint.strip())
    path = root.notebooks / f"{name}.ipynb"
    if path.resolve().parent != root.notebooks.resolve() or not path.is_file():
        raise ConfigError(f"{path.name} leads out of the notebooks of this study.", "Replace the link by the file.")
    return path


def read_notebook(path: Path) -> Notebook:
    """A notebook file as its JSON, checked to hold exactly one parameters cell.

    Raises
    ------
    ConfigError
        If it is no notebook, or has no cell tagged ``parameters``.
    """
    try:
        notebook: Notebook = json.loads(path.read_text(encoding="utf-8"))
        tagged = [c for c in notebook["cells"] if "parameters" in c["metadata"].get("tags", [])]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path.name} is not a readable notebook ({error}).", "Restore it.") from error
    if len(tagged) != 1:
        said = f"{path.name} has {len(tagged)} cells tagged `parameters`; expected one."
        raise ConfigError(said, "Without it every parameter would silently keep its default.")
    return notebook


def read_declaration(notebook: Notebook, kind: str) -> list[str]:
    """What a notebook says in its metadata that it reads: ``parameters``, or ``tables`` of ``data/``.

    Raises
    ------
    ConfigError
        If it does not say so.
    """
    declared = notebook["metadata"].get("impact", {}).get(kind)
    if not isinstance(declared, list):
        raise ConfigError(
            f"the notebook does not say which {kind} it reads.",
            f"Name them in its metadata: impact.{kind}; take a notebook of version 0.1, which imports `analysis`, anew "
            "from impact init.",
        )
    return [str(name) for name in declared]


def read_parameters(root: StudyRoot, notebook: str) -> list[str]:
    """The parameters that a notebook of a study declares, as :func:`find_notebook` and the readers refuse it."""
    return read_declaration(read_notebook(find_notebook(root, notebook)), "parameters")


def prepare(request: RunRequest, shared: list[OpenedStudy] | None = None) -> Prepared:
    """Check everything that can be checked before a kernel starts.

    Parameters
    ----------
    shared : list of OpenedStudy, optional
        Studies that were opened for other requests of the same run: one of them is taken where it is the one that is
        asked for, else the one that is opened is added.

    Raises
    ------
    ConfigError, DataError
        If the request is wrong, or the data cannot serve it.
    """
    path = find_notebook(request.root, request.notebook)
    notebook = read_notebook(path)
    names = read_declaration(notebook, "parameters")
    if unknown := sorted(set(request.parameters) - set(names)):
        hint = f"{did_you_mean(unknown[0], names)} Its parameters are: {', '.join(names)}."
        raise ConfigError(f"{path.stem} has no parameter {', '.join(unknown)}.", hint.strip())
    request = dataclasses.replace(request, parameters=settle_parameters(request.parameters))
    study = _open_subject(request, names, read_declaration(notebook, "tables"), shared)
    inputs, source = study.hash_tables(read_declaration(notebook, "tables")), None
    if "source" in names and isinstance(study, OpenedStudy):
        inputs |= study.check()
        source = measure_freshness(study.opened, study.returns, request.clock())
    inputs |= getattr(study, "minute_files", {}) if "bars" in names else {}
    prepared = Prepared(request, study, path, notebook, inputs, source)
    stem = f"{study.as_of.isoformat()}_{study.name}_{short_name(path.stem)}_{hash_run(prepared)}"
    return dataclasses.replace(prepared, folder=request.reports / stem)


def _open_subject(
    request: RunRequest, names: list[str], tables: list[str], shared: list[OpenedStudy] | None
) -> "OpenedStudy | SampleStudy":
    """What a notebook is about, by the parameters that it declares; what its request needs, and no more, is loaded."""
    asked = {"root": request.root.path, **request.parameters}
    if "events" in names:
        from event_impact.study.sample_study import SampleStudy

        return SampleStudy(**asked)
    if "bars" not in names and shared is None:
        return OpenedStudy(**asked)
    from event_impact.study.study import Study  # files of bars are known when the bars are measured

    held = shared if shared is not None and "source" in names else []
    for study in held:
        if study.serves(tables, **request.parameters):
            return study
    held.append(Study(**asked))
    return held[-1]


def hash_run(prepared: Prepared) -> str:
    """First eight hex digits of the sha256 over everything that decides the results."""
    identity = {
        "notebook": prepared.notebook_path.stem,
        "notebook_sha256": hashlib.sha256(prepared.notebook_path.read_bytes()).hexdigest(), "story": prepared.story,
        "as_of": prepared.study.as_of.isoformat(), "parameters": prepared.parameters, "inputs": prepared.inputs,
        "analysis": digest_package(),
    }  # fmt: skip
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
