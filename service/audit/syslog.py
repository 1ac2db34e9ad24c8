"""Events as syslog messages (RFC 5424) over TLS (RFC 5425)."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PORT = 6514  # RFC 5425, 4.1
FACILITY_AUDIT = 13  # log audit
SEVERITY_NOTICE, SEVERITY_WARNING = 5, 4
MAX_MESSAGE = 8192  # bytes that receivers should accept (RFC 5425, 4.3.1)
MAX_SEQUENCE_ID = 2**31 - 1  # RFC 5424, 7.3.1
CONNECT_SECONDS = SEND_SECONDS = 10.0
_NOT_PRINTABLE = re.compile("[^!-~]")


@dataclass(frozen=True, slots=True)
class Receiver:
    """A syslog receiver. `ca_file` replaces the system's authorities; `cert_file` and `key_file` name the client's
    certificate, where the receiver asks for one."""

    host: str
    port: int = PORT
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """TLS settings: certificate and name of the receiver are verified. Raises OSError and ssl.SSLError."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context


def message(event: Mapping[str, Any], host: str, process: str) -> bytes:
    """One event as a message: header, its sequence as structured data, and the event as JSON in UTF-8.

    An event that would be too long is sent without its detail; the hash lets it be compared with the trail.
    """
    severity = SEVERITY_NOTICE if event["result"] in (None, "done") else SEVERITY_WARNING
    head = (
        f"<{FACILITY_AUDIT * 8 + severity}>1 {event['at']} {_word(host, 255)} inkgate {_word(process, 128)} "
        f"{_word(event['action'], 32)} "
        f'[meta sequenceId="{(event["sequence"] - 1) % MAX_SEQUENCE_ID + 1}"] '
    ).encode() + b"\xef\xbb\xbf"
    whole = head + _json(event)
    if len(whole) <= MAX_MESSAGE:
        return whole
    return head + _json({**event, "detail": {"omitted": "too long for a syslog message"}})


def frames(messages: Sequence[bytes]) -> bytes:
    """Messages with their lengths before them, as they are sent."""
    return b"".join(b"%d %b" % (len(each), each) for each in messages)


def send(receiver: Receiver, context: ssl.SSLContext, messages: Sequence[bytes]) -> None:
    """Send messages over a connection of their own, and wait until the receiver has closed it after reading them.

    Syslog has no acknowledgement; a receiver that ends the connection in order has taken everything before its end from
    the socket. Raises OSError otherwise: the messages may have arrived, and have to be sent again. Blocks.
    """
    address = (receiver.host, receiver.port)
    with socket.create_connection(address, CONNECT_SECONDS) as plain:
        plain.settimeout(SEND_SECONDS)
        with context.wrap_socket(plain, server_hostname=receiver.host) as secure:
            secure.sendall(frames(messages))
            _end(secure)


def _end(secure: ssl.SSLSocket) -> None:
    try:
        plain = secure.unwrap()
    except ssl.SSLEOFError:
        return  # closed without a notice of its own, but in order: a reset would be another error
    plain.close()


def _word(text: str, length: int) -> str:
    """A header field: printable ASCII without blanks, "-" for nothing."""
    return _NOT_PRINTABLE.sub("_", text)[:length] or "-"


def _json(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
