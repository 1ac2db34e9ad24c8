"""Shared parts of card and licence recognition: rectified scan, labels, dates, check digits, places."""
