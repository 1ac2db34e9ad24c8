"""A child whose events are not those of this release: `python -m tests.integration.worker.odd_child PARENT FD`."""

from __future__ import annotations

import socket
import struct
import sys

from inkgate.service.broker import frames

ODD = (
    b"nonsense",
    b"[]",
    b"{}",
    b'{"kind": 7}',
    b'{"kind": "tomorrow", "colour": "red"}',
    b'{"kind": "done"}',
    b'{"kind": "leaving"}',
    b'{"kind": "ready", "engine": "text"}',
    b'{"kind": "ready", "rss_mib": "much"}',
)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[2]))
    frames.receive_frame(control)
    for raw in ODD:
        control.sendall(struct.pack(">II", len(raw), 0) + raw)
    engine = {"engine": "stub", "model": "stub", "device": "cpu", "colour": "red"}
    frames.send_frame(
        control, {"kind": "ready", "name": "odd", "engine": engine, "profile": "balanced", "rss_mib": 1.0}
    )
    control.recv(1)  # until the supervisor has gone


if __name__ == "__main__":
    main()
