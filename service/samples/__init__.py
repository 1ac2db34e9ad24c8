"""Sample images and recorded answers of the built-in capabilities, `<capability>.jpg` and `<capability>.json`.

The images are drawn by `tools/draw_samples.py`, nobody and nothing in them exists; the answers are recorded by
`tools/record_examples.py`.
"""

from __future__ import annotations

from inkgate.service.contract.capabilities import CAPABILITIES


def sample(capability: str) -> bytes:
    """The file of a capability's sample image. Raises KeyError for a name that is not installed."""
    return CAPABILITIES[capability].sample.read_bytes()
