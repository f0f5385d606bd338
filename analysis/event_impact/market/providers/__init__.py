"""Providers: the only modules that ask the network; found by name, this distribution's own or another's."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, cast

from event_impact.base.errors import ConfigError
from event_impact.market.protocol import Provider

GROUP = "event_impact.providers"
DEFAULT_PROVIDER = "yahoo"


def load_provider(name: str = DEFAULT_PROVIDER) -> Provider:
    """The provider of a name: ours, which needs no installation, or an entry point of :data:`GROUP`.

    Raises
    ------
    ConfigError
        If no installed distribution offers it, or it cannot be loaded.
    """
    if name == DEFAULT_PROVIDER:
        from event_impact.market.providers.yahoo import YahooProvider

        return YahooProvider()
    offered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in offered:
        held = ", ".join(sorted({DEFAULT_PROVIDER, *offered}))
        raise ConfigError(
            f"no provider {name!r} is installed; there is {held}.", f"Providers are entry points {GROUP}."
        )
    try:
        made: Any = offered[name].load()()
    except Exception as error:  # code of another distribution, which may fail in any way
        raise ConfigError(
            f"the provider {name!r} ({offered[name].value}) cannot be loaded ({type(error).__name__}: {error}).",
            "Mend or remove its distribution.",
        ) from error
    return cast(Provider, made)
