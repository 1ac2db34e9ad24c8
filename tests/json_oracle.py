"""The bounded reader held against orjson, with every string a long one."""

from __future__ import annotations

from typing import Any
from unittest import mock

import orjson

from inkgate.service.contract import bounded_json
from inkgate.service.contract.bounded_json import Document, InvalidJson, LongString, loads


def whole(document: Document, value: Any) -> Any:
    """The value with the text of every long string in its place."""
    value = document.resolve(value)
    if isinstance(value, LongString):
        return "".join(value.pieces())
    if isinstance(value, list):
        return [whole(document, each) for each in value]
    if isinstance(value, dict):
        return {whole(document, key): whole(document, each) for key, each in value.items()}
    return value


def compare(body: bytes) -> None:
    """Fails unless the reader takes what orjson takes, and makes of it what orjson makes."""
    try:
        expected = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            loads(body)
        except InvalidJson:
            return
        raise AssertionError("orjson refuses what the reader takes") from None
    document = loads(bytearray(body))
    assert whole(document, document.value) == expected


def compare_short(body: bytes) -> None:
    """The same where strings are long from nine bytes on and their pieces have at most twenty."""
    with mock.patch.multiple(bounded_json, MAX_UNBOUNDED_BYTES=0, MIN_LONG_STRING_BYTES=8, PIECE_BYTES=20):
        compare(body)
