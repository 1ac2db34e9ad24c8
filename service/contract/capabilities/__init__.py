"""The capabilities that this installation serves: the built-in ones, then those of other distributions.

A capability of the built-in ones is one file of this folder. A faulty one of another distribution raises
ConfigurationError when this package is imported, before anything is served.
"""

from __future__ import annotations

from collections.abc import Mapping

from inkgate.service.contract.capabilities.general import GENERAL
from inkgate.service.contract.capabilities.idcard import IDCARD
from inkgate.service.contract.capabilities.licence import LICENCE
from inkgate.service.contract.capabilities.plate import PLATE
from inkgate.service.contract.capability import MIB, PREFIX, Capability
from inkgate.service.contract.code_tables import Fault
from inkgate.service.contract.registry import load

__all__ = ["CAPABILITIES", "DEFAULT", "GENERAL", "IDCARD", "LICENCE", "MIB", "PLATE", "PREFIX", "Capability", "Fault"]

CAPABILITIES: Mapping[str, Capability] = load((GENERAL, IDCARD, PLATE, LICENCE))
"""Name → capability, in the order in which people see them."""
DEFAULT = GENERAL.name
"""The capability of a command or a page where none is named."""
