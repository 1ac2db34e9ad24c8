"""Frames on the socket between the embedded broker and its worker processes.

A frame is two big-endian 32-bit lengths, a JSON object, and raw bytes (a picture, or nothing). Pictures travel as
they are: no base64, no copy into JSON.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any

import orjson

from inkgate.service.broker.messages import Malformed

_LENGTHS = struct.Struct(">II")
_HEAD_LIMIT = 16 * 1024 * 1024  # an answer of a dense page is some 100 KiB; beyond this the peer is not ours

Frame = tuple[dict[str, Any], bytes]


class PeerGone(ConnectionError):
    """The other end closed the socket, or sent what is no frame."""


def pack(head: Mapping[str, Any], body: bytes = b"") -> list[bytes]:
    """The chunks of one frame, ready for `writelines`; the body is not copied."""
    raw = orjson.dumps(head)
    chunks = [_LENGTHS.pack(len(raw), len(body)), raw]
    if body:
        chunks.append(body)
    return chunks


async def read(reader: asyncio.StreamReader) -> Frame:
    """The next frame. Raises PeerGone at the end of the stream, Malformed when one frame's head is no JSON object: the
    frame after it can be read all the same."""
    try:
        head, body = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
        if head > _HEAD_LIMIT:
            raise PeerGone(f"a frame's head claims {head} bytes")
        raw = await reader.readexactly(head)
        content = await reader.readexactly(body) if body else b""
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise PeerGone(str(error)) from error
    return _object(raw), content


def recv(sock: socket.socket) -> Frame:
    """The next frame from a blocking socket. Raises as `read` does."""
    head, body = _LENGTHS.unpack(_recv_exactly(sock, _LENGTHS.size))
    if head > _HEAD_LIMIT:
        raise PeerGone(f"a frame's head claims {head} bytes")
    raw, content = _recv_exactly(sock, head), bytes(_recv_exactly(sock, body)) if body else b""
    return _object(raw), content


def send(sock: socket.socket, head: Mapping[str, Any], body: bytes = b"") -> None:
    """Send one frame on a blocking socket. Raises PeerGone when the peer is gone."""
    try:
        for chunk in pack(head, body):
            sock.sendall(chunk)
    except OSError as error:
        raise PeerGone(str(error)) from error


def _object(raw: bytes | bytearray) -> dict[str, Any]:
    try:
        head = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Malformed("a frame's head is no JSON") from error
    if not isinstance(head, dict):
        raise Malformed("a frame's head is no JSON object")
    return head


def _recv_exactly(sock: socket.socket, size: int) -> bytearray:
    buffer = bytearray(size)
    view = memoryview(buffer)
    done = 0
    while done < size:
        try:
            count = sock.recv_into(view[done:])
        except OSError as error:
            raise PeerGone(str(error)) from error
        if count == 0:
            raise PeerGone("end of stream")
        done += count
    return buffer
