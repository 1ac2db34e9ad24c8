"""Sample pictures, one per capability, drawn by `tools/draw_samples.py`. Nobody and nothing in them exists."""

from __future__ import annotations

from importlib.resources import files


def sample(capability: str) -> bytes:
    """The JPEG bytes of a capability's sample picture."""
    return files(__name__).joinpath(f"{capability}.jpg").read_bytes()
