"""The string that is signed (manual 6.2.3): header lines, sorted query, hash of the raw body.

Headers and query are bytes on the wire (CONTRACT D8, D9). They are handled as text whose code points are those bytes
(latin-1), so that encoding it as latin-1 returns the bytes as they were sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote, quote_plus, unquote_to_bytes


def canonical(signed: Sequence[str], headers: Mapping[str, str], query: str, body_hash: str) -> str:
    """Each signed header as `name:value\\n` in name order, a newline, the query, a newline, the body's sha256 hex.

    `signed` is sorted and every name in it is a key of `headers` (both lower case).
    """
    lines = "".join(f"{name}:{headers[name]}\n" for name in signed)
    return f"{lines}\n{query}\n{body_hash}"


def query_forms(raw: str) -> tuple[str, ...]:
    """Every order and encoding of a query that clients of the public endpoint sign, most common first (CONTRACT R6).

    Raw pairs sorted as whole strings (the manual's sample); raw pairs sorted by key (its text); decoded and encoded
    again by RFC 3986 or as Go's url.Values does, sorted by key. `raw` and the forms are latin-1 text.
    """
    if not raw:
        return ("",)
    pairs = raw.split("&")
    by_key = sorted(pairs, key=lambda pair: pair.partition("=")[0])
    decoded = sorted(
        ((_decoded(key), _decoded(value)) for key, _, value in (p.partition("=") for p in pairs if p)),
        key=lambda item: item[0],
    )
    rfc3986 = "&".join(f"{key.decode('latin-1')}={quote(value, safe='~')}" for key, value in decoded)
    rfc3986_keys = "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in decoded)
    go = "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in decoded)
    return tuple(dict.fromkeys(("&".join(sorted(pairs)), "&".join(by_key), rfc3986_keys, rfc3986, go)))


def _decoded(text: str) -> bytes:
    """The bytes of a part of a query: %-sequences and `+` decoded, everything else unchanged."""
    return unquote_to_bytes(text.replace("+", " ").encode("latin-1"))
