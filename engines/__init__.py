"""Inference engines: an image in; lines, cards, plates or licences out. Imports nothing of HTTP, Redis or SQL."""
