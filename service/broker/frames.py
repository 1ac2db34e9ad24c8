"""Frames on the socket between the embedded broker and its worker processes.

A frame is two big-endian 32-bit lengths (header, body), a JSON object, and raw bytes: an image or nothing. Images are
not base64-encoded.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any

import orjson

from inkgate.service.broker.messages import MessageError

_LENGTHS = struct.Struct(">II")
_MAX_HEADER_BYTES = 16 * 1024 * 1024  # the reply for a dense page has some 100 KiB; above this the data is no frame

Frame = tuple[dict[str, Any], bytes]


class PeerClosed(ConnectionError):
    """The peer closed the socket or sent data that is no frame."""


def encode_frame(header: Mapping[str, Any], body: bytes = b"") -> list[bytes]:
    """Encode one frame as chunks for `writelines`; the body is not copied."""
    raw = orjson.dumps(header)
    chunks = [_LENGTHS.pack(len(raw), len(body)), raw]
    if body:
        chunks.append(body)
    return chunks


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Read the next frame.

    Raises PeerClosed at the end of the stream, MessageError when the header is no JSON object; reading can continue
    after a MessageError.
    """
    try:
        header, body = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
        if header > _MAX_HEADER_BYTES:
            raise PeerClosed(f"a frame's header claims {header} bytes")
        raw = await reader.readexactly(header)
        content = await reader.readexactly(body) if body else b""
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        raise PeerClosed(str(error)) from error
    return _object(raw), content


def receive_frame(sock: socket.socket) -> Frame:
    """Read the next frame from a blocking socket. Raises PeerClosed and MessageError as `read_frame`."""
    header, body = _LENGTHS.unpack(_recv_exactly(sock, _LENGTHS.size))
    if header > _MAX_HEADER_BYTES:
        raise PeerClosed(f"a frame's header claims {header} bytes")
    raw, content = _recv_exactly(sock, header), bytes(_recv_exactly(sock, body)) if body else b""
    return _object(raw), content


def send_frame(sock: socket.socket, header: Mapping[str, Any], body: bytes = b"") -> None:
    """Send one frame on a blocking socket. Raises PeerClosed when the connection is closed."""
    try:
        for chunk in encode_frame(header, body):
            sock.sendall(chunk)
    except OSError as error:
        raise PeerClosed(str(error)) from error


def _object(raw: bytes | bytearray) -> dict[str, Any]:
    try:
        header = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MessageError("a frame's header is no JSON") from error
    if not isinstance(header, dict):
        raise MessageError("a frame's header is no JSON object")
    return header


def _recv_exactly(sock: socket.socket, size: int) -> bytearray:
    buffer = bytearray(size)
    view = memoryview(buffer)
    done = 0
    while done < size:
        try:
            count = sock.recv_into(view[done:])
        except OSError as error:
            raise PeerClosed(str(error)) from error
        if count == 0:
            raise PeerClosed("end of stream")
        done += count
    return buffer
