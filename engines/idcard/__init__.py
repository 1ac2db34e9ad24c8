"""Resident identity cards, temporary cards, and residence permits for Hong Kong, Macao and Taiwan residents."""

from inkgate.engines.idcard.pipeline import read_idcard

__all__ = ["read_idcard"]
