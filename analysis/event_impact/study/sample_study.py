"""A sample of events behind one door: its files opened once, its windows, placebo dates and page made when asked for."""

import contextlib
import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from event_impact.base.config import STORY_PATTERN
from event_impact.base.csv_tables import Tables
from event_impact.base.errors import ConfigError, StudyError
from event_impact.base.result import record_of
from event_impact.base.root import find_root
from event_impact.base.run_record import RunRecord
from event_impact.events.articles import load_stories
from event_impact.many.files import BatchOutcome, BatchRequest, OpenedBatch, WindowWork, describe_batch, open_batch
from event_impact.many.sample import LeftOutEvents, PlaceboDates, leave_each_out, replay_at_placebo_dates
from event_impact.many.story_panel import decide_pooled_outcome
from event_impact.market.returns import faultless_returns
from event_impact.market.snapshot import open_source
from event_impact.page.exhibits import write_csv
from event_impact.page.first_screen import FirstScreen
from event_impact.page.sample_page import SampleView, compose_sample_screen
from event_impact.registry.alignments import load_known_alignments
from event_impact.study.record import Provenance
from event_impact.study.study import read_cells

REGISTRY, SNAPSHOT = "registry", "snapshot"
MOST_PLACEBO_DATES, MOST_PLACEBO_FITS = 99, 20_000
#: Largest rank p among placebo dates that confirms a detection.
CONFIRMED = 0.10


#: Parameters of a sample, as the parameters cell of notebook 07 declares them.
DEFAULTS: dict[str, str | int | float | bool] = {
    "name": REGISTRY, "returns": SNAPSHOT, "events": REGISTRY, "benchmark": "SPY", "model": "market",
    "estimation_sessions": 250, "gap_sessions": 10, "windows": "-1:1", "path": "-5:5", "usable_share": 0.9,
    "calendar": "", "factors": "", "controls": "",
    "measure": "returns", "bhar": "model", "group": "", "traits": "", "ambiguous": "reject", "allow_large": False,
    "draws": 1_999, "equivalence_bound": 0.02, "significance": 0.05, "seed": 20260202,
}  # fmt: skip
PASSED_ON = (
    "benchmark", "model", "estimation_sessions", "gap_sessions", "usable_share", "measure", "bhar", "ambiguous",
    "allow_large", "draws", "seed",
)  # fmt: skip


class SampleStudy:
    """Many events of many shares, from their files to the page of notebook 07.

    Parameters
    ----------
    root : str or pathlib.Path, optional
        Folder of the study; found from the working directory when left out.
    **parameters
        As :data:`DEFAULTS` names them: those of ``impact batch``, lists separated by commas. ``returns="snapshot"`` with
        ``events="registry"`` takes the embedded prices and the registered stories.

    Attributes
    ----------
    title : str
        What the page is called.
    as_of : datetime.date
        The last session of the returns.
    arguments, parameters : dict of str to object
        The parameters as they were asked for.

    Raises
    ------
    StudyError
        If the request is wrong, or the files cannot serve it.

    Examples
    --------
    >>> from event_impact import SampleStudy
    >>> sample = SampleStudy(windows="0:0,0:1")
    >>> sample.title, len(sample.works)
    ('Sample registry', 2)
    """

    _offered: "SampleStudy | None" = None

    def __init__(self, *, root: str | Path | None = None, **parameters: Any) -> None:
        self.arguments = self.parameters = asked = _settle(parameters)
        self.root = find_root(root)
        self._tables = Tables(self.root.data)
        self.name, self.title = asked["name"], f"Sample {asked['name']}"
        if not STORY_PATTERN.fullmatch(self.name):
            raise ConfigError(f"{self.name!r} is no name of a sample.", "Use lower-case letters, digits and hyphens.")
        held: dict[str, Any] = {name: asked[name] for name in PASSED_ON}
        held |= {name: tuple(filter(None, asked[name].split(","))) for name in ("traits", "controls")}
        held |= {name: asked[name] or None for name in ("calendar", "group")}
        held |= {"out": Path(), "factors": Path(asked["factors"]) if asked["factors"] else None}
        windows, (returns, events) = tuple(asked["windows"].split(",")), (Path(asked[k]) for k in ("returns", "events"))
        self.request = BatchRequest(returns, events, windows=windows, **held)
        self.opened: OpenedBatch = open_batch(self.request, contextlib.ExitStack(), frames=self._read_registry())
        if self.opened.panel is None:
            raise ConfigError("A page is made in one process.", "Leave --scheduler out, or take fewer shares.")
        self.as_of: date = pd.Timestamp(self.opened.panel.sessions[-1]).date()

    @classmethod
    def from_cell(cls, cell: Mapping[str, Any]) -> "SampleStudy":
        """The sample that the parameters cell of a notebook asks for."""
        declared, injected = read_cells(cell["In"])
        asked, held = {key: cell[key] for key in {*declared, *injected}}, cls._offered
        return held if held and held.parameters == _settle(asked) else cls(**asked)

    def offer(self) -> None:
        """Let :meth:`from_cell` take this sample, open as it is, where a notebook asks for the same."""
        SampleStudy._offered = self

    def _read_registry(self) -> tuple[pd.DataFrame, pd.DataFrame] | None:
        """Returns of the embedded prices on the benchmark's sessions, and the event session of every registered story."""
        if (str(self.request.returns), str(self.request.events)) != (SNAPSHOT, REGISTRY):
            return None
        tables, found = self._tables, {}
        store, stories = open_source(SNAPSHOT, tables), load_stories(tables)
        asked = {story.ticker: story.exchange for story in stories.values()} | {self.request.benchmark: "XNYS"}
        for ticker, exchange in asked.items():
            with contextlib.suppress(StudyError):  # without figures: its events say so, each with its reason
                found[ticker] = faultless_returns(store.load(ticker, exchange))[0]["close_to_close"]
        known = load_known_alignments(tables, date(2100, 1, 1))
        rows = [(a.story.story, a.story.ticker, f"{a.event_session:%Y-%m-%d}") for a in known]
        # on the benchmark's sessions: elsewhere traded days between two of them would be lost, so the second has no return
        wide = pd.DataFrame(found).sort_index()
        is_held = wide[self.request.benchmark].notna()
        is_lost = (wide.notna() & ~is_held.to_numpy()[:, None]).cumsum()[is_held].diff() > 0
        return wide[is_held].mask(is_lost), pd.DataFrame(rows, columns=["event_id", "ticker", "session"])

    @property
    def heading(self) -> tuple[str, str]:
        """The first fact at the head of a page."""
        return "events", f"{len(self.opened.placed.frame)} given, {self.works[0].result.n} used"

    def hash_tables(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """sha256 of every file that the numbers rest on."""
        if str(self.request.returns) == SNAPSHOT:
            return self._tables.hash(names)
        files = [path for path in (self.request.returns, self.request.events, self.request.factors) if path is not None]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    @cached_property
    def works(self) -> list[WindowWork]:
        """Every window, estimated and tested."""
        return [self.opened.work(window) for window in self.request.windows]

    @cached_property
    def path(self) -> WindowWork:
        """The window of the average path."""
        return self.opened.work(self.parameters["path"])

    @cached_property
    def placebo(self) -> PlaceboDates:
        """The sample on earlier dates."""
        design, estimates = self.opened.design, self.works[0].estimates
        assert design is not None
        fewer = max(19, MOST_PLACEBO_FITS // max(estimates.car.size, 1)) if design.panel else MOST_PLACEBO_DATES
        return replay_at_placebo_dates(design, estimates, most=min(fewer, MOST_PLACEBO_DATES))

    @cached_property
    def left_out(self) -> LeftOutEvents | None:
        """The sample without each event."""
        estimates = self.works[0].estimates
        used, correlation = estimates.is_used, self.works[0].result.correlation.value
        return leave_each_out(estimates.car[used], estimates.scar[used], correlation)

    @cached_property
    def view(self) -> SampleView:
        """Everything that the page shows."""
        is_confirmed = self.placebo.p_value is not None and self.placebo.p_value < CONFIRMED
        bound, level = self.parameters["equivalence_bound"], self.parameters["significance"]
        rule: dict[str, Any] = {"significance": level, "bound": bound, "is_confirmed": is_confirmed}
        outcomes = [decide_pooled_outcome(work.result, **rule) for work in self.works]
        return SampleView(
            self.name, self.opened, self.works, self.path, outcomes, self.placebo, self.left_out,
            self.described.sample, level,
        )  # fmt: skip

    @cached_property
    def described(self) -> BatchOutcome:
        """``events.csv``, ``aar.csv`` and ``sample.json``."""
        return describe_batch(self.opened, self.works)

    @cached_property
    def first_screen(self) -> FirstScreen:
        """What a reader has in ten seconds."""
        return compose_sample_screen(self.view)

    @property
    def record(self) -> Provenance:
        """What the notebook hands to its runner, in its last cell."""
        screen, result = self.first_screen, self.works[0].result
        run = RunRecord(
            story=self.name, as_of=self.as_of.isoformat(), outcome=self.view.outcomes[0],
            verdict=screen.text, finding=screen.text, plain=screen.text,
            panel={
                "outcome": self.view.outcomes[0], "recommended": result.recommended or None,
                "p_placebo": self.placebo.p_value,
                **record_of(result, "n estimate=caar standard_error ci95_low=ci95.0 ci95_high=ci95.1 mde80 p=p_value"),
            },
            parameters=self.parameters, inputs=self.hash_tables(), vintage=self.request.returns.name,
        )  # fmt: skip
        drawn = {drawing.name: drawing.numbers for drawing in screen.drawings}
        windows = pd.DataFrame(self.described.sample["windows"]).drop(columns=["tests", "overlap", "recommendation"])
        windows["outcome"] = self.view.outcomes
        tables = {"events": self.described.events, "aar": self.described.aar, screen.csv: windows, **drawn}
        return Provenance(run, {name: write_csv(frame) for name, frame in tables.items()})


def _settle(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a sample, those that are asked for and the defaults of the others."""
    if unknown := sorted(parameters.keys() - DEFAULTS.keys()):
        raise ConfigError(f"a sample has no parameter {', '.join(unknown)}.", f"It has {', '.join(DEFAULTS)}.")
    return {name: _read_as(name, parameters.get(name, default)) for name, default in DEFAULTS.items()}


def _read_as(name: str, value: Any) -> Any:
    """A parameter as the type of its default; a command line gives text."""
    kind = type(DEFAULTS[name])
    if kind is bool and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    try:
        return kind(value)
    except ValueError:
        raise ConfigError(f"{name}: {value!r} is no {kind.__name__}.", f"Its default is {DEFAULTS[name]!r}.") from None
