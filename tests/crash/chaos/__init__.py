"""A chaos run over real processes: see `__main__`."""
