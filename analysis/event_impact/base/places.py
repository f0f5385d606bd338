"""Where a label stands in an index that holds it once."""

import pandas as pd


def place_of(index: pd.Index, label: object) -> int:
    """The place of a label, counted from 0.

    Parameters
    ----------
    index : pandas.Index
        Without repeats.
    label : object
        One of its labels, for instance a session.

    Returns
    -------
    int

    Raises
    ------
    KeyError
        If the index does not hold it.
    """
    place = index.get_loc(label)
    assert isinstance(place, int), f"{label} stands there more than once"
    return place
