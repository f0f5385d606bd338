"""Stories taken through the door, for tests of several rooms."""

from __future__ import annotations

from pathlib import Path

from event_impact import Study

ROOT = Path(__file__).resolve().parents[1]


def compute(**parameters: object) -> Study:
    """A study of this repository; what a test asks for is computed then, and once."""
    return Study(root=ROOT, **parameters)
