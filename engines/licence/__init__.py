"""Business licences of all forms since the 1990s."""

from inkgate.engines.licence.flow import read_licence

__all__ = ["read_licence"]
