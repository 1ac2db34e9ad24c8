"""Secrets in texts: which they are, and texts without them."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote

MIN_MASKED_CHARACTERS = 8  # masking shorter secrets everywhere would garble ordinary words


def maskable_secrets(secrets: Iterable[str]) -> tuple[str, ...]:
    """The `secrets` of at least MIN_MASKED_CHARACTERS; longest first, since one may be a substring of another."""
    return tuple(sorted((text for text in secrets if len(text) >= MIN_MASKED_CHARACTERS), key=len, reverse=True))


def passwords(url: str) -> set[str]:
    """The passwords that a URL may contain, as written and decoded; with an unescaped `@` or `/`, every reading."""
    rest = url.partition("://")[2]
    whole, shortest = rest.rpartition("@")[0], rest.partition("@")[0] if "@" in rest else ""
    written = {user.partition(":")[2] for user in (whole, shortest)}
    options = {value for name, value in parse_qsl(rest.partition("?")[2]) if "passw" in name.lower()}
    return {form for text in written | options for form in (text, unquote(text))} - {""}


def without_passwords(text: str) -> str:
    """`text`, for example a URL, with `***` for every password in it."""
    return mask(text, passwords(text))


def mask(text: str, secrets: Iterable[str]) -> str:
    """`text` with `***` for each of `secrets`, longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
