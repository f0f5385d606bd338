"""The rule of :mod:`event_impact.events.sessions` for very many publication intervals at once."""

from dataclasses import dataclass

import numpy as np

from event_impact.events.calendars import SessionHours

OUTSIDE = -1
"""Place of an instant that the known calendar does not hold."""


@dataclass(frozen=True)
class Candidates:
    """Candidate sessions of many intervals, as places in the calendar.

    Attributes
    ----------
    first, last : int arrays (intervals,)
        Places of the first and the last session whose close can be the first that contains the article;
        ``OUTSIDE`` where the calendar ends before or begins after.
    """

    first: np.ndarray
    last: np.ndarray

    @property
    def is_known(self) -> np.ndarray:
        """Whether both ends lie in the calendar."""
        return np.asarray((self.first != OUTSIDE) & (self.last != OUTSIDE))

    @property
    def is_unique(self) -> np.ndarray:
        """Whether one session only is possible."""
        return np.asarray(self.is_known & (self.first == self.last))


def find_candidates(hours: SessionHours, earliest: np.ndarray, latest: np.ndarray) -> Candidates:
    """Sessions that texts published within ``[earliest, latest)`` can have reached.

    Parameters
    ----------
    earliest, latest : arrays (intervals,) of datetime64[ns]
        In UTC. Where both are the same the text has that very instant.

    Returns
    -------
    Candidates
        close_session of the first and of the last instant of each interval: the first session whose
        close lies strictly after it.
    """
    closes = hours.schedule["close"].to_numpy(dtype="datetime64[ns]")
    one = np.timedelta64(1, "ns")
    last_instant = np.where(latest > earliest, latest - one, earliest)
    return Candidates(_place(closes, earliest), _place(closes, last_instant))


def _place(closes: np.ndarray, instants: np.ndarray) -> np.ndarray:
    places = np.searchsorted(closes, instants, side="right")
    return np.where((places == 0) | (places == closes.size) | np.isnat(instants), OUTSIDE, places)
