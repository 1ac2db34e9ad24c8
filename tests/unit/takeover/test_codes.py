"""The code of an answer, and its body without content coding, of whatever a server may send."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkgate.service.takeover.codes import answer_code, plain_body

LIMIT = 10_000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"statusCode":0,"message":{"success":1}}', "0"),
        (b'{"message": "x", "statusCode" : -7}', "-7"),
        (b'{"statusCode":"CTAPI_10020","code":"10020"}', "CTAPI_10020"),
        (b'{"returnObj":[{"text":"\\"statusCode\\": 9"}],"statusCode":400011}', "400011"),
        (b'{"returnObj":"' + b"x" * 20_000 + b'","statusCode":0}', "0"),
        (b'{"encryptedResult":"AA==","encryptedResultHash":"AA=="}', ""),
        (b"<html>413</html>", ""),
        (b"", ""),
    ],
)
def test_the_code_of_a_body(body: bytes, code: str) -> None:
    assert answer_code(body) == code


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda tail: b'{"statusCode":"' + tail))
def test_any_bytes_have_a_short_code_or_none(body: bytes) -> None:
    assert len(answer_code(body)) <= 32


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        (b"", b"plain"),
        (b"identity", b"plain"),
        (b"gzip", gzip.compress(b"plain", mtime=0)),
        (b"GZIP", gzip.compress(b"plain", mtime=0)),
        (b"deflate", zlib.compress(b"plain")),
    ],
)
def test_known_codings_are_undone(encoding: bytes, sent: bytes) -> None:
    assert plain_body([(b"Content-Encoding", encoding)], sent, LIMIT) == b"plain"


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        (b"br", b"plain"),
        (b"gzip, gzip", gzip.compress(gzip.compress(b"plain", mtime=0), mtime=0)),
        (b"gzip", b"not gzip"),
        (b"gzip", gzip.compress(b"plain", mtime=0)[:-3]),
        (b"gzip", gzip.compress(bytes(LIMIT + 1), mtime=0)),
        (b"", bytes(LIMIT + 1)),
    ],
)
def test_unknown_corrupt_and_too_long_bodies_are_left_out(encoding: bytes, sent: bytes) -> None:
    assert plain_body([(b"content-encoding", encoding)], sent, LIMIT) is None


def test_a_bomb_is_not_inflated() -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024), compresslevel=1)
    assert plain_body([(b"content-encoding", b"gzip")], bomb, LIMIT) is None
