"""The Lua files beside this one, by name."""

from __future__ import annotations

from importlib import resources


def source(name: str) -> str:
    """The text of `lua/<name>.lua`."""
    return (resources.files(__package__) / "lua" / f"{name}.lua").read_text(encoding="utf-8")
