"""The HTTP front: one pipeline for all four capabilities (`pipeline.py` is the way of one call)."""
