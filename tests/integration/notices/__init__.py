"""Tests of notices against real databases, mail and HTTP servers."""
