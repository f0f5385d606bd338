"""From publication intervals to sessions, and from sessions to what is identified.

The rule for one instant is in :mod:`event_impact.events.calendars`. Here it is applied to the
first and the last instant at which an article can have become public; every session in
between is a candidate. Whether report and denial can be told apart follows from one
question: does a price lie strictly between them, for sure, perhaps, or not at all?
"""

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from html import escape

import pandas as pd

from event_impact.base.clock import format_instant
from event_impact.base.errors import AlignmentError, ConfigError
from event_impact.base.places import place_of
from event_impact.events.articles import Article, Story
from event_impact.events.calendars import SessionHours, load_hours

JOINT_SENTENCE = (
    "{between}, so the data identify only their joint effect, together with all other news of that interval."
)
CLOSED_BETWEEN = "{exchange} was closed from the report to the denial and no price of its sessions lies between them"
OPEN_BETWEEN = (
    "No recorded daily price of {ticker} lies between the report and the denial: they may lie apart within a session, "
    "which daily figures cannot show"
)

ALIGNMENT_COLUMNS = ("article_id", "role", "published_earliest", "published_latest", "sessions", "phase", "reason")
#: An interval that crosses more phases is described by its ends and the sessions between.
MOST_PHASES = 4


@dataclass(frozen=True)
class EventSession:
    """The sessions that one article can have reached.

    Attributes
    ----------
    sessions : tuple of pandas.Timestamp
        Candidate sessions whose close-to-close return contains the article.
    phase : str
        Where the publication interval lies relative to trading hours.
    reason : str
        The decision in words.
    """

    article: Article
    sessions: tuple[pd.Timestamp, ...]
    phase: str
    is_near_close: bool
    reason: str

    def _repr_html_(self) -> str:
        sessions = ", ".join(str(s.date()) for s in self.sessions)
        return f"<p><b>{escape(self.article.article_id)}</b> -> {sessions}: {escape(self.reason)}</p>"


@dataclass(frozen=True)
class Identification:
    """What the prices at hand can tell apart.

    ``kind`` is one of ``separable``, ``joint``, ``ambiguous``, ``report_only``, ``denial_only``.
    ``is_closed_between``: for ``joint``, whether the exchange was closed from the report to the denial for sure.
    """

    kind: str
    reason: str
    price_between: str = ""
    is_closed_between: bool = False

    def as_record(self) -> dict[str, object]:
        """The part that ``run.json`` keeps."""
        effects = {
            "report": self.kind in ("report_only", "separable"),
            "denial": self.kind in ("denial_only", "separable", "before_denial"),
            "joint": self.kind not in ("report_only", "denial_only"),
        }
        return {"kind": self.kind, **effects, "reason": self.reason}


@dataclass(frozen=True)
class Alignment:
    """A story brought onto the calendar of its exchange.

    Attributes
    ----------
    story : Story
        As known at ``as_of``, its bounds tightened by order.
    hours : SessionHours
        Calendar of the listing.
    articles : tuple of EventSession
        Each article with the sessions that it can have reached.
    identification : Identification
        What the prices can tell apart.
    report_sessions, denial_sessions : tuple of pandas.Timestamp
        Candidate sessions of the first report and of the first denial; empty where none is recorded.
    """

    story: Story
    hours: SessionHours
    articles: tuple[EventSession, ...]
    identification: Identification
    report_sessions: tuple[pd.Timestamp, ...]
    denial_sessions: tuple[pd.Timestamp, ...]

    @property
    def candidates(self) -> tuple[pd.Timestamp, ...]:
        """Candidate sessions of the event: the report's, or the denial's where no report is recorded."""
        return self.report_sessions or self.denial_sessions

    @property
    def reachable(self) -> tuple[pd.Timestamp, ...]:
        """Sessions over which the headline is judged: the candidates, and the denial's where it may share theirs."""
        if self.identification.kind == "ambiguous":
            return tuple(sorted({*self.report_sessions, *self.denial_sessions}))
        return self.candidates

    @property
    def event_session(self) -> pd.Timestamp:
        """rel_session 0: the first candidate session."""
        return self.candidates[0]

    @property
    def last_session(self) -> pd.Timestamp:
        """The last session that report or first denial can have reached."""
        return max(self.report_sessions + self.denial_sessions)

    @cached_property
    def hull(self) -> tuple[int, int]:
        """Window of rel_sessions that holds every candidate of report and first denial."""
        return 0, len(self.hours.between(self.event_session, self.last_session)) - 1

    @property
    def open_holds_news(self) -> str:
        """Whether the opening price of the event session can hold the event: ``yes``, ``no`` or ``perhaps``.

        The event is the report, or the denial where no report is recorded.
        """
        events = self.story.with_role("report" if self.report_sessions else "denial")
        opens = self.hours.open_at(self.event_session)
        if opens <= min(a.published_earliest for a in events):
            return "no"
        return "yes" if opens >= min(a.published_latest for a in events) else "perhaps"

    def relative(self, sessions: tuple[pd.Timestamp, ...]) -> tuple[int, ...]:
        """Sessions as rel_sessions of the event session."""
        origin = place_of(self.hours.sessions, self.event_session)
        return tuple(place_of(self.hours.sessions, s) - origin for s in sessions)

    def with_opens(self, opens: pd.DatetimeIndex) -> "Alignment":
        """The same, judged by the opening prices that are recorded."""
        found = identify(self.articles, ticker=self.story.ticker, hours=self.hours, opens=opens)
        return replace(self, identification=found)

    @property
    def is_ambiguous(self) -> bool:
        """Whether the session of the report or of the denial is not unique."""
        return len(self.report_sessions) > 1 or len(self.denial_sessions) > 1

    def _repr_html_(self) -> str:
        table = self.frame()[["article_id", "role", "sessions", "phase"]].to_html(index=False)
        return f"<p>{escape(self.identification.reason)}</p>{table}"

    def frame(self) -> pd.DataFrame:
        """One row an article: the columns of ``results/alignment.csv``."""
        rows = []
        for e in self.articles:
            bounds = (format_instant(at) for at in (e.article.published_earliest, e.article.published_latest))
            sessions = ";".join(s.date().isoformat() for s in e.sessions)
            rows.append((e.article.article_id, e.article.role, *bounds, sessions, e.phase, e.reason))
        return pd.DataFrame(rows, columns=list(ALIGNMENT_COLUMNS))


def format_both(instant: pd.Timestamp, hours: SessionHours) -> str:
    """An instant in UTC and by the clock of the exchange, for readers."""
    return f"{instant:%a %Y-%m-%d %H:%M} UTC, {instant.tz_convert(hours.timezone):%a %H:%M} {hours.city}"


def tighten_by_order(articles: tuple[Article, ...]) -> tuple[Article, ...]:
    """Use that a denial follows the report it denies.

    No denial can precede the earliest possible report; a single report cannot follow the
    last instant of the first denial. A bound that was moved carries the basis ``order``.
    """
    reports, denials = ([a for a in articles if a.role == role] for role in ("report", "denial"))
    if not reports or not denials:
        return articles
    first, last = min(a.published_earliest for a in reports), min(a.published_latest for a in denials)
    moved: list[Article] = []
    for article in articles:
        if article.role == "denial" and article.published_earliest < first:
            article = replace(article, published_earliest=first, earliest_basis="order")
        if article.role == "report" and len(reports) == 1 and article.published_latest > last:
            article = replace(article, published_latest=last, latest_basis="order")
        if article.published_earliest >= article.published_latest:
            said = f"{article.article_id}: once the order of report and denial is used, no time is left for it."
            raise AlignmentError(said, "Mend its bounds in articles.csv.")
        moved.append(article)
    return tuple(moved)


@lru_cache(maxsize=1024)
def align_article(article: Article, hours: SessionHours) -> EventSession:
    """The candidate sessions of one article, with the reason in words."""
    first, last = article.published_earliest, article.last_instant
    sessions = tuple(hours.between(hours.close_session(first), hours.close_session(last)))
    is_near = hours.is_near_close(first) or hours.is_near_close(last)
    phase, reason = " to ".join(_shorten(hours.phases(first, last))), _explain(article, sessions, hours, is_near)
    return EventSession(article, sessions, phase, is_near, reason)


def _shorten(phases: tuple[str, ...]) -> list[str]:
    """Phases that fit a cell; what a long interval crosses in the middle is counted."""
    if len(phases) <= MOST_PHASES:
        return list(phases)
    days = phases[1:-1].count("in_session")
    return [phases[0], f"{days} session{'s' * (days != 1)}", phases[-1]]


def _explain(article: Article, sessions: tuple[pd.Timestamp, ...], hours: SessionHours, is_near: bool) -> str:
    width = article.published_latest - article.published_earliest
    first, last = (format_both(at, hours) for at in (article.published_earliest, article.published_latest))
    bases = [b.replace("_", " ") or "basis not recorded" for b in (article.earliest_basis, article.latest_basis)]
    is_point = width <= pd.Timedelta(minutes=1)
    when = f"public at {first}" if is_point else f"public between {first} ({bases[0]}) and {last} ({bases[1]})"
    if len(sessions) == 1:
        close = format_both(hours.close_at(sessions[0]), hours)
        text = f"the first close after that is {hours.exchange} {sessions[0].date()} ({close})"
    else:
        span = f"{sessions[0].date()} to {sessions[-1].date()}"
        text = f"{len(sessions)} closes of {hours.exchange} are possible, {span}"
    return f"{when}; {text}{'; near_close: within ten minutes of a close' * is_near}"


def identify(
    articles: tuple[EventSession, ...], *, ticker: str, hours: SessionHours, opens: pd.DatetimeIndex | None
) -> Identification:
    """Decide what daily prices can tell apart, from bounds and calendar alone.

    Report and denial are separable when a price of the listing lies after the last instant
    of the first report and not after the first instant of the first denial; ambiguous when
    that holds only for some times within the bounds; joint when for none.
    """
    reports, denials = _of_role(articles, "report"), _of_role(articles, "denial")
    if not denials:
        said = "No denial is recorded: the session holds the report and all other news of its interval."
        return Identification("report_only", said)
    if not reports:
        return Identification(
            "denial_only",
            "The report is not separately sourced: the session holds the denial and all other news of its interval, the "
            "report among it only if it came in the same interval.",
        )
    report = min(reports, key=lambda e: e.article.published_latest).article
    denial = min(denials, key=lambda e: e.article.published_latest).article
    two_days = pd.Timedelta(days=2)
    around = (report.published_earliest - two_days, denial.published_latest + two_days)
    days = hours.between(*(at.tz_localize(None).normalize() for at in around))
    prices = [(hours.open_at(day), day, "open") for day in days if opens is None or day in opens]
    prices = sorted([*prices, *((hours.close_at(day), day, "close") for day in days)])
    certain = [price for price in prices if report.published_latest <= price[0] <= denial.published_earliest]
    possible = [at for at, _, _ in prices if report.published_earliest < at <= denial.last_instant]
    if certain:
        at, session, kind = next((price for price in certain if price[2] == "close"), certain[0])
        label = f"the {kind} of {session.date()} ({format_both(at, hours)})"
        return Identification(
            "separable",
            f"{label[0].upper()}{label[1:]} lies after the last instant of the report and before the first of the "
            "denial: their effects can be told apart, each together with the other news of its interval.",
            price_between=kind,
        )
    if not possible:
        phases = hours.phases(report.published_earliest, denial.last_instant)
        is_closed = not {"in_session", "lunch_break"} & {*phases}
        between = (CLOSED_BETWEEN if is_closed else OPEN_BETWEEN).format(ticker=ticker, exchange=hours.exchange)
        return Identification("joint", JOINT_SENTENCE.format(between=between), is_closed_between=is_closed)
    return Identification(
        "ambiguous",
        f"Whether a recorded daily price of {ticker} lies between report and denial depends on where in their bounds they "
        f"fell ({len(possible)} possible {'price' if len(possible) == 1 else 'prices'}, the first at "
        f"{format_both(possible[0], hours)}): only the joint effect over all candidate sessions is identified for "
        "sure.",
    )


def align_story(story: Story, *, as_of: date | None = None, opens: pd.DatetimeIndex | None = None) -> Alignment:
    """Bring a story onto its calendar: candidate sessions of every article and what is identified.

    Parameters
    ----------
    as_of : datetime.date, optional
        Leave out what was not yet public at the close of this session, and refuse one before the event.
    opens : pandas.DatetimeIndex, optional
        Sessions whose opening price is recorded, left out for all; where it is not, only the close separates.

    Returns
    -------
    Alignment

    Raises
    ------
    ConfigError
        If ``as_of`` is no session of the exchange, or lies before the event session.
    """
    hours = load_hours(story.exchange)
    if as_of is not None:
        if (label := pd.Timestamp(as_of)) not in hours.sessions:
            before, after = (session.date() for session in hours.neighbours(label))
            said = f"The neighbouring sessions are {before} and {after}."
            raise ConfigError(f"as_of: {as_of} is no session of {hours.exchange}.", said)
        limit = hours.close_at(label)
        known = replace(story, articles=tuple(a for a in story.articles if a.published_latest <= limit))
        if known.is_draft:
            event = align_story(story, opens=opens).event_session.date()
            told = f"as_of: {as_of} lies before the event session of {story.story}, {event}."
            raise ConfigError(told, f"Choose {event} or a later session.")
        story = known
    story = replace(story, articles=tighten_by_order(story.articles))
    aligned = tuple(align_article(article, hours) for article in story.articles)
    found = identify(aligned, ticker=story.ticker, hours=hours, opens=opens)
    sessions = [_earliest_sessions(_of_role(aligned, role)) for role in ("report", "denial")]
    return Alignment(story, hours, aligned, found, *sessions)


def _of_role(articles: tuple[EventSession, ...], role: str) -> tuple[EventSession, ...]:
    return tuple(e for e in articles if e.article.role == role)


def _earliest_sessions(events: tuple[EventSession, ...]) -> tuple[pd.Timestamp, ...]:
    """Candidate sessions of the first of several articles of one role."""
    if not events:
        return ()
    first, last = (min(e.sessions[end] for e in events) for end in (0, -1))
    return tuple(sorted({s for e in events for s in e.sessions if first <= s <= last}))
