"""Removes red ink: text below a seal is visible in the red channel."""

from inkgate.engines.seals import remove_red_ink

__all__ = ["remove_red_ink"]
