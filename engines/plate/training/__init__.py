"""Training of the plate networks on rendered glyphs, plates and scenes. Needs the `train` dependency group."""
