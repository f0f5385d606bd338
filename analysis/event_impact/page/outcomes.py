"""Exit codes of work made of parts: the worst counts."""

from collections.abc import Iterable

ORDER = (0, 75, 6, 3, 2, 5, 4)
"""From best to worst; an unknown code counts as the worst, an interruption as worse than all."""
INTERRUPTED = 130


def worst_code(codes: Iterable[int]) -> int:
    """The exit code of the whole."""
    held = list(codes)
    if INTERRUPTED in held:
        return INTERRUPTED
    return max((code if code in ORDER else ORDER[-1] for code in held), key=ORDER.index, default=0)
