"""Market-event impact study.

    articles -> sessions -> returns -> model -> abnormal returns -> tests -> verdict -> page

The rooms lie in the order in which the data travels; each imports only rooms above it. What a room needs is
loaded when a public name is first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from event_impact.base import errors
from event_impact.base.code_digest import VERSION as __version__

if TYPE_CHECKING:
    from event_impact.base.config import StudyConfig
    from event_impact.many.files import BatchRequest, run_batch
    from event_impact.registry.alignments import align
    from event_impact.study.ask import ask
    from event_impact.study.sample_study import SampleStudy
    from event_impact.study.study import Study

__all__ = ["BatchRequest", "SampleStudy", "Study", "StudyConfig", "__version__", "align", "ask", "errors", "run_batch"]
_HOMES = {
    "BatchRequest": "many.files",
    "SampleStudy": "study.sample_study",
    "Study": "study.study",
    "StudyConfig": "base.config",
    "align": "registry.alignments",
    "ask": "study.ask",
    "run_batch": "many.files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
