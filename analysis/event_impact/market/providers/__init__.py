"""Providers: the only modules that ask the network; found by name, this distribution's own or another's."""

from importlib.metadata import entry_points
from typing import Any, cast

from event_impact.base.errors import ConfigError
from event_impact.market.protocol import Provider

GROUP = "event_impact.providers"
DEFAULT_PROVIDER = "yahoo"


def load_provider(name: str = DEFAULT_PROVIDER, **options: Any) -> Provider:
    """The provider of a name: ours with its options, which needs no installation, or an entry point of :data:`GROUP`.

    Raises
    ------
    ConfigError
        If no installed distribution offers it, or it cannot be loaded.
    """
    if name == DEFAULT_PROVIDER:
        from event_impact.market.providers.yahoo import YahooProvider

        return YahooProvider(**options)
    offered = entry_points(group=GROUP)
    try:
        return cast(Provider, offered[name].load()())
    except Exception as error:  # code of another distribution, which may fail in any way
        hint = f"There is {', '.join(sorted({DEFAULT_PROVIDER, *offered.names}))}; providers are entry points {GROUP}."
        raise ConfigError(f"no provider {name!r} can be loaded ({type(error).__name__}: {error}).", hint) from error
