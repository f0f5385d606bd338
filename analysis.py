"""The import name of version 0.1, for those who try it in a checkout; not shipped."""

raise ImportError(
    "The package is called event_impact since version 0.2: write `from event_impact import ...`; CHANGELOG.md says what "
    "moved where."
)
