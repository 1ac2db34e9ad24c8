"""Fixtures shared by all tests. Real servers live in files of their own and are listed here."""

pytest_plugins = ["tests.postgres", "tests.sandbox", "tests.valkey"]
