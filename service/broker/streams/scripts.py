"""The Lua files beside this one, by name."""

from __future__ import annotations

import re
from importlib import resources

_INCLUDE = re.compile(r"^--include (\w+)$", re.MULTILINE)


def source(name: str) -> str:
    """The text of `lua/<name>.lua`, with the files it includes by a line `--include NAME`."""
    return _INCLUDE.sub(lambda found: _text(found[1]), _text(name))


def _text(name: str) -> str:
    return (resources.files(__package__) / "lua" / f"{name}.lua").read_text(encoding="utf-8")
