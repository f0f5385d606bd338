"""Exit codes of work made of parts: the worst counts."""

from collections.abc import Iterable

WORST, INTERRUPTED = 4, 130
#: From best to worst; an unknown code counts as the worst, an interruption as worse than all.
ORDER = (0, 75, 6, 3, 2, 5, WORST, INTERRUPTED)


def worst_code(codes: Iterable[int]) -> int:
    """The exit code of the whole."""
    return max((code if code in ORDER else WORST for code in codes), key=ORDER.index, default=0)
