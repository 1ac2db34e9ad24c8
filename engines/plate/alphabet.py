"""The characters of mainland plates and where each may stand (GA 36-2018)."""

from __future__ import annotations

PROVINCES = "京津沪渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
DIGITS = "0123456789"
ENDINGS = "学挂警港澳领使"

BLANK = 0
CHARACTERS = PROVINCES + LETTERS + "O" + DIGITS + ENDINGS
"""Class i + 1 of the reader's output is CHARACTERS[i]; class 0 is the blank of CTC."""

COLOURS = ("none", "blue", "yellow", "green", "green_yellow", "black", "white")
"""Background colours in the order of the reader's output; "none" is no plate at all."""
