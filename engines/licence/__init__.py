"""Business licences of all forms since the 1990s."""

from inkgate.engines.licence.pipeline import read_licence

__all__ = ["read_licence"]
