"""The form in which random secrets are stored that only have to be recognised."""

from __future__ import annotations

import hashlib


def hash_token(token: str) -> str:
    """SHA-256 of a token or code, in hexadecimal. Without salt: each has at least 80 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
