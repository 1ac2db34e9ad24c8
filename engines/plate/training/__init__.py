"""How the plate networks are trained: drawn glyphs, drawn plates, drawn scenes. Needs the `train` dependency group."""
