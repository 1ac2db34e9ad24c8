"""Loads the Lua scripts by name."""

from __future__ import annotations

import re
from importlib import resources

_INCLUDE = re.compile(r"^--include (\w+)$", re.MULTILINE)


def script_source(name: str) -> str:
    """The text of `lua/<name>.lua`; a line `--include NAME` is replaced by the text of that file."""
    return _INCLUDE.sub(lambda found: _text(found[1]), _text(name))


def _text(name: str) -> str:
    return (resources.files(__package__) / "lua" / f"{name}.lua").read_text(encoding="utf-8")
