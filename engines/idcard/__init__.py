"""Resident identity cards, temporary cards, and residence permits for Hong Kong, Macao and Taiwan residents."""

from inkgate.engines.idcard.flow import read_idcard

__all__ = ["read_idcard"]
