"""Drawn variants of faults that users report, with their expected answers: `python -m benchmarks.accuracy.field`.

Each module of `table.MODULES` holds the kinds of one subject. A kind draws an image and its expectation from a seed, so
the same case comes again on every machine that has the same fonts. To add a kind: write a function `Random` → `Case`,
put it into the module's `KINDS`, and name a new module in `table.MODULES`.
"""
