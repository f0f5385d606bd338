"""The door of the package: one story from its articles to its verdict, each noun made once and when it is asked for."""

import ast
import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from event_impact.base.config import StudyConfig
from event_impact.base.errors import ConfigError, DataError, did_you_mean
from event_impact.base.result import record_of
from event_impact.base.run_record import RunRecord
from event_impact.estimation.abnormal import AbnormalReturns, Measured, Unmeasured
from event_impact.estimation.models import WindowEffects
from event_impact.events.claims import ArticleDoubt, load_claims, load_doubts
from event_impact.events.sessions import Alignment
from event_impact.events.venues import first_prices, load_venues
from event_impact.inference.activity_tests import Surprise, band_activity
from event_impact.inference.bar_tests import MinuteResult, MinuteVariant
from event_impact.inference.claim_checks import CheckedClaim, ClaimContext, check_claims
from event_impact.inference.diagnostics import StudyDiagnostics
from event_impact.inference.placebo_pool import PlaceboRank
from event_impact.inference.power_study import PowerStudy, study_power
from event_impact.inference.robustness import LeftOutDay, SpecificationCurve, SpecificationEstimate
from event_impact.inference.sequence import StorySequence
from event_impact.inference.window_tests import ControlResult
from event_impact.inference.windows import (
    COMPANION_KIND,
    HEADLINE_KIND,
    DollarEffect,
    WindowEstimate,
    estimates_frame,
    value_in_currency,
)
from event_impact.many.peer_tests import Spillover
from event_impact.many.story_panel import PanelResult
from event_impact.page.daily_screen import compose_daily_screen
from event_impact.page.exhibits import write_csv
from event_impact.page.finding import find_primary
from event_impact.page.first_screen import FirstScreen
from event_impact.page.minute_page import compose_minutes, compose_no_bars, tabulate_windows
from event_impact.page.panel_tables import compose_panel
from event_impact.page.robustness_tables import compose_robustness
from event_impact.page.spillover_tables import compose_spillover
from event_impact.page.timelines import compose_timing
from event_impact.registry.alignments import load_known_alignments
from event_impact.registry.plans import PlanStatus, load_plans, plan_status
from event_impact.study import event_study, minutes, panel, specifications, spillover
from event_impact.study.opened_study import OpenedStudy, hash_inputs
from event_impact.study.record import Provenance, path_frame

#: How papermill begins the cell in which it hands over parameters.
INJECTED = "# Parameters\n"


class Study(OpenedStudy):
    """One story taken from its articles to its verdict.

    Everything is validated and opened when the study is made: parameters, tables, calendar and prices. What follows is
    computed when it is first asked for, and once.

    Parameters
    ----------
    story : str or Story
        An id of ``data/stories.csv``, or a story with its articles that need not be there.
    as_of : str or datetime.date, optional
        The last session whose prices may be seen; the last that the source has, but for the default story.
    root : str or pathlib.Path, optional
        Folder of the study; found from the working directory when left out.
    prices : PriceStore or pandas.DataFrame, optional
        Prices in the place of ``source``; a frame has the columns date, ticker, close and, where there are any, open,
        high, low, volume, dividend.
    **parameters
        As :class:`StudyConfig` names them.

    Raises
    ------
    ConfigError
        If a parameter is wrong or unknown, or ``as_of`` is no session or lies before the event.
    DataError
        If tables or prices cannot be used.

    Examples
    --------
    >>> from event_impact import Study
    >>> study = Study("ford-xiaomi", as_of="2026-02-13")
    >>> study.alignment.identification.kind
    'joint'
    >>> study.verdict.outcome
    'no_detectable_effect'
    """

    @classmethod
    def from_cell(cls, cell: Mapping[str, Any]) -> "Study":
        """The study that the parameters cell of a notebook asks for: ``Study.from_cell(globals())``.

        Raises
        ------
        ConfigError
            If a parameter was handed over that the notebook does not declare.
        """
        declared, injected = read_cells(cell["In"])
        if unknown := sorted(injected - declared.keys()):
            hint = f"{did_you_mean(unknown[0], declared)} Its parameters are: {', '.join(declared)}."
            raise ConfigError(f"this notebook has no parameter {', '.join(unknown)}.", hint.strip())
        asked, held = {name: cell[name] for name in declared}, cls.offered
        if held is None or held.config != StudyConfig.from_parameters(**asked):
            study = cls(**asked)
            if "source" in declared:
                study.check()
            return study
        return cls.take(held)

    @classmethod
    def take(cls, held: OpenedStudy) -> "Study":
        """A study that is open, as it is."""
        taken = cls.__new__(cls)
        taken.__dict__.update(held.__dict__)
        return taken

    def replace(self, **changes: Any) -> "Study":
        """The same study with some parameters changed."""
        return Study(**{**self.config.as_parameters(), **self._given, **changes})

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        return self.verdict._repr_mimebundle_()

    # ------------------------------------------------------------ articles, sessions, prices

    @cached_property
    def first_prices(self) -> pd.DataFrame:
        """First possible price on each venue once report, and once the first denial, were public for sure."""
        venues, columns = load_venues(self.opened.tables), {}
        for role in ("report", "denial"):
            if bounds := [e.article.published_latest for e in self.timing.articles if e.article.role == role]:
                found = first_prices(venues, self.story.exchange, min(bounds)).set_index("label")
                columns[role] = found["first_price_at"]
        return pd.DataFrame(columns).rename_axis("venue").sort_values(list(columns), kind="stable")

    @cached_property
    def registry(self) -> list[Alignment]:
        """Every story of the registry whose articles had appeared by ``as_of``, on its calendar."""
        return load_known_alignments(self.opened.tables, self.config.as_of)

    # ------------------------------------------------------------ abnormal returns and their tests

    @cached_property
    def abnormal(self) -> Measured:
        """Abnormal returns of the three kinds of return."""
        return event_study.measure(self.opened, self.returns, self.alignment)

    @property
    def headline(self) -> AbnormalReturns:
        """Abnormal returns from close to close."""
        return self.abnormal.close_to_close

    @cached_property
    def estimates(self) -> list[WindowEstimate]:
        """Every window of every return, tested; a detection is confirmed by its specification curve."""
        rows = event_study.estimate(self.opened, self.abnormal, self.alignment, self.ranks)
        return specifications.confirm_detections(rows, self.trace_curve)

    @cached_property
    def sequence(self) -> StorySequence:
        """Effects of report and denial as far as closing prices tell them apart, and each candidate session."""
        return event_study.assess_story(self.opened, self.abnormal, self.alignment)

    @cached_property
    def verdict(self) -> FirstScreen:
        """What was found, how sure, and what could have been seen: what a reader has in ten seconds."""
        return compose_daily_screen(
            self.estimates, self.sequence, self.alignment, self.config, returns=self.returns, abnormal=self.headline,
            curve=self.curve, placebo=self.placebo, news=self.news,
        )  # fmt: skip

    @cached_property
    def ranks(self) -> event_study.Ranks:
        """Every window of each return among the firm's own earlier sessions."""
        return event_study.rank_among_placebos(self.opened, self.abnormal, self.alignment)

    @property
    def placebo(self) -> PlaceboRank:
        """The headline among them.

        Raises
        ------
        DataError
            If it has no estimate.
        """
        if (0, 0) not in self.ranks[HEADLINE_KIND]:
            raise DataError(self.headline.sum_window(0, 0).note, "Use another source.")
        return self.ranks[HEADLINE_KIND][0, 0]

    @cached_property
    def power(self) -> PowerStudy:
        """What the design could have shown."""
        bound, significance = self.config.equivalence_bound, self.config.significance
        return study_power(self.estimates, bound=bound, significance=significance)

    @cached_property
    def diagnostics(self) -> StudyDiagnostics | Unmeasured:
        """What in the estimation window could spoil the tests."""
        return event_study.diagnose_headline(self.opened, self.abnormal)

    @cached_property
    def dummies(self) -> WindowEffects | Unmeasured:
        """The headline's windows as one regression with dummies."""
        return event_study.regress_dummies(self.headline, self.config.windows)

    @cached_property
    def controls(self) -> tuple[ControlResult, ...]:
        """The tests on sessions whose answer is known."""
        listed = event_study.list_controls(self.opened)  # read here too: a record names the tables that it rests on
        return (self.ahead("controls") or event_study.run_controls(self.opened)) if listed else ()

    @cached_property
    def activity(self) -> list[Surprise]:
        """Surprise in volume and range around the event."""
        return event_study.surprise_activity(self.opened, self.returns, self.alignment)

    @cached_property
    def activity_bands(self) -> pd.DataFrame:
        """Volume and range along the path of the figures, with the quantiles of the estimation window."""
        fitted, path = self.headline.fit.sessions, self.config.path
        return band_activity(self.returns.prices, self.headline.event_session, fitted=fitted, path=path)

    @cached_property
    def news(self) -> pd.DataFrame:
        """Other recorded news inside the windows."""
        return event_study.list_news(self.opened, self.alignment)

    @cached_property
    def doubts(self) -> tuple[ArticleDoubt, ...]:
        """Doubts about the bounds of the articles, and what would change if each were right."""
        return load_doubts(self.timing, self.opened.tables)

    @cached_property
    def claims(self) -> tuple[CheckedClaim, ...]:
        """What the articles that were known at ``as_of`` claim, held against the figures."""
        claims = load_claims(tuple(event.article for event in self.alignment.articles), self.opened.tables)
        abnormal = {kind: a for kind, a in self.abnormal.items() if isinstance(a, AbnormalReturns)}
        return check_claims(claims, ClaimContext(self.returns, self.alignment, abnormal))

    @cached_property
    def money(self) -> tuple[DollarEffect, ...]:
        """The declared pair in money: shares outstanding times the close before, times the estimate."""
        closes, at = self.returns.prices["close"], self.alignment.event_session
        return tuple(value_in_currency(row, closes, at, self.story) for row in self.estimates if row.is_primary)

    @cached_property
    def plan(self) -> PlanStatus:
        """How the parameters relate to the plans that were frozen for the story."""
        plans = load_plans(self.opened.tables, self.name)
        return plan_status(self.story, self.config, alignment=self.alignment, plans=plans)

    # ------------------------------------------------------------ bars of minutes

    @cached_property
    def minutes(self) -> MinuteResult | None:
        """What bars say of report and denial; None where none of the event session are recorded."""
        return minutes.measure_minutes(self.opened)

    @cached_property
    def minute_variants(self) -> tuple[MinuteVariant, ...]:
        """The declared windows of the bars measured another way."""
        return minutes.vary_minutes(self.opened, self.minutes) if self.minutes else ()

    @cached_property
    def by_days(self) -> WindowEstimate | None:
        """What daily prices say in the place of the bars; None where there are none."""
        with contextlib.suppress(DataError):
            return find_primary(self.estimates, HEADLINE_KIND)
        return None

    @property
    def minute_files(self) -> dict[str, str]:
        """Files behind the bars and what stands beside them, with their sha256."""
        if self.minutes is None:
            return {}
        held = [v.result.files for v in self.minute_variants if v.result]
        daily = self.returns.inputs if self.by_days else {}
        return {name: sha for files in (*held, self.minutes.files, daily) for name, sha in files.items()}

    @cached_property
    def minute_screen(self) -> FirstScreen:
        """What opens the page of the minute study."""
        if self.minutes is None:
            return compose_no_bars(self.timing, self.first_prices)
        return compose_minutes(self.minutes, self.minute_variants, self.by_days, self.timing)

    # ------------------------------------------------------------ robustness, other firms, other stories

    def trace_curve(self, return_kind: str) -> SpecificationCurve:
        """The event session under every exchangeable choice, for one kind of return."""
        return self.curve if return_kind == HEADLINE_KIND else specifications.trace_curve(self, return_kind)

    @cached_property
    def curve(self) -> SpecificationCurve:
        """The specification curve of the headline."""
        return self.ahead("curve") or specifications.trace_curve(self, HEADLINE_KIND)

    @cached_property
    def curve_verdict(self) -> FirstScreen:
        """The choices that would flip the outcome."""
        found = specifications.judge_curve(self.curve)
        return compose_robustness(self.curve, found, self.verdict, significance=self.config.significance)

    @cached_property
    def left_out_days(self) -> tuple[LeftOutDay, ...]:
        """The headline without each news day of its estimation window."""
        return specifications.leave_out_news(self.opened, self.abnormal, self.alignment)

    @cached_property
    def left_out_peers(self) -> list[SpecificationEstimate]:
        """The market model with all peers, then without each."""
        return specifications.leave_out_peers(self.opened, self.alignment)

    @cached_property
    def spillover(self) -> Spillover:
        """The other firms of the story on the day of its event."""
        return spillover.measure_spillover(self.opened, self.abnormal)

    @cached_property
    def spillover_verdict(self) -> FirstScreen:
        """Who moved, and what cannot be read."""
        return compose_spillover(self.spillover, self.alignment, self.verdict, significance=self.config.significance)

    @cached_property
    def panel(self) -> PanelResult:
        """Every story of the registry, measured with these parameters and pooled."""
        return panel.assess_panel(panel.gather_panel(self.opened))

    @cached_property
    def panel_verdict(self) -> FirstScreen:
        """What the stories say together."""
        return compose_panel(self.panel)

    @cached_property
    def timing_verdict(self) -> FirstScreen:
        """Which sessions the articles can have reached."""
        return compose_timing(self.timing, self.registry)

    # ------------------------------------------------------------ what a notebook hands to its runner, in its last cell

    def _describe(
        self, alignment: Alignment, verdict: FirstScreen, files: dict[str, str], finding: FirstScreen | None = None
    ) -> dict[str, Any]:
        """What every record says of its story, of its files, and of its page, which opens with a finding or the verdict."""
        return {
            "verdict": verdict.text, "plain": verdict.text, "finding": (finding or verdict).finding,
            "table": (finding or verdict).table, "story": self.name, "as_of": self.as_of.isoformat(),
            "identified": alignment.identification.as_record(),
            "event_session": alignment.event_session.date().isoformat(), "parameters": self.parameters,
            "inputs": self.opened.tables.hash() | files,
        }  # fmt: skip

    @property
    def timing_record(self) -> Provenance:
        """Of a notebook that reads no price; it has no outcome, since none is tested."""
        run = RunRecord(**self._describe(self.timing, self.timing_verdict, {}), vintage="none: no price is used")
        return Provenance(run, {"alignment": write_csv(self.timing.frame())})

    def record(self, finding: FirstScreen | None = None) -> Provenance:
        """Of a notebook about the story, which opens with ``finding`` or with the verdict."""
        verdict, prices = self.verdict, hash_inputs(self.opened, self.returns)
        headline, companion = (find_primary(self.estimates, kind) for kind in (HEADLINE_KIND, COMPANION_KIND))
        candidates = headline.candidates.frame(headline.significance) if headline.candidates else pd.DataFrame()
        run = RunRecord(
            **self._describe(self.alignment, verdict, prices, finding), status=verdict.status, outcome=verdict.outcome,
            companion_outcome=verdict.companion_outcome, headline=headline.as_record(), companion=companion.as_record(),
            candidates=[{str(k): v for k, v in row.items()} for row in candidates.to_dict("records")],
            vintage=self.returns.vintage,
        )  # fmt: skip
        tables = {
            "estimates": estimates_frame(self.estimates), "candidates": candidates,
            "abnormal_returns": path_frame(self.opened, self.abnormal), "alignment": self.alignment.frame(),
        }  # fmt: skip
        return Provenance(run, {name: write_csv(frame) for name, frame in tables.items() if len(frame)})

    @property
    def minute_record(self) -> Provenance:
        """Of the notebook about bars: the first declared window is the headline, the second the companion."""
        result, frame = self.minutes, self.timing.frame()
        about = self._describe(self.timing, self.minute_screen, self.minute_files)
        rows: list[dict[Any, Any]] = []
        outcomes = [self.minute_screen.outcome, None]
        if result is not None:
            about["identified"] = result.alignment.identification.as_record()
            ends, places = result.grid.ends, result.alignment.candidates
            for column, number in (("first_bar", 0), ("last_bar", 1)):
                inside = [places[name][number] for name in frame["article_id"]]
                frame[column] = [ends[place] if 0 < place < len(ends) else None for place in inside]
            declared = tabulate_windows(result).numbers.iloc[: len(result.declared)]
            rows = declared.to_dict("records")
            outcomes = [*declared["outcome"], None]
        run = RunRecord(
            **about, outcome=outcomes[0], companion_outcome=outcomes[1], headline=rows[0] if rows else None,
            companion=rows[1] if len(rows) > 1 else None,
            vintage=result.bars.vintage if result else "none: no bars are recorded",
        )  # fmt: skip
        return Provenance(run, {"alignment": write_csv(frame)})

    @property
    def panel_record(self) -> Provenance:
        """Of a notebook about every story.

        ``outcome`` stays null: it is that of one story's headline. The pooled outcome stands in ``panel``.
        """
        result, main, held = self.panel, self.panel.main, self.panel.panel
        own = next((s.alignment for s in held.stories if s.name == self.name), self.timing)
        pooled = {
            "outcome": result.outcome,
            **record_of(main, "n estimate standard_error ci95_low=ci95.0 ci95_high=ci95.1 mde80 p=p_value"),
            "recommended": main.recommended or None,
            "n_controls": len(held.controls), "n_separable": len(result.separable), "n_missing": len(held.missing),
            "without_one_story": [dataclasses.asdict(left) for left in result.left_out],
            "dispersion": dataclasses.asdict(result.dispersion),
            "shrunk": dataclasses.asdict(result.shrunk) if result.shrunk else None,
        }  # fmt: skip
        about = self._describe(own, self.panel_verdict, held.inputs)
        return Provenance(RunRecord(**about, panel=pooled, vintage=held.vintage), {})


def read_cells(sources: Iterable[str]) -> tuple[dict[str, None], set[str]]:
    """Names that a notebook's parameters cell declares, in its order, and those that papermill handed over."""
    declared: dict[str, None] = {}
    injected: set[str] = set()
    for source in sources:
        with contextlib.suppress(SyntaxError):  # a cell that never ran
            for node in ast.parse(source).body:
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    declared[node.target.id] = None
                elif isinstance(node, ast.Assign) and source.startswith(INJECTED):
                    injected |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return declared, injected
