"""Runs inside a network namespace that has nothing but a loopback: installs from a bundle, serves, reads, says so.

unshare --net python tests/airgap/inside.py BUNDLE TARGET
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def loopback_up() -> None:
    with socket.socket() as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def prove_there_is_no_way_out() -> None:
    interfaces = [name for _, name in socket.if_nameindex()]
    assert interfaces == ["lo"], interfaces
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    assert not routes, routes
    try:
        socket.create_connection(("192.0.2.1", 443), timeout=1)
    except OSError as error:
        print(f"no way out: {error}")
    else:
        raise AssertionError("something answered from outside")


def main() -> None:
    bundle, target = Path(sys.argv[1]), Path(sys.argv[2])
    loopback_up()
    prove_there_is_no_way_out()
    for part in ("gateway", "all"):
        subprocess.run(
            ["sh", str(bundle / "deploy" / "install.sh"), part, str(target / part), str(bundle / "wheels")], check=True
        )
    clean = {"PATH": f"{target}/all/bin:/usr/bin:/bin", "HOME": str(target), "LANG": "C.UTF-8"}
    assert "INKGATE" not in str(sorted(os.environ)), "settings of the outside must not help"
    subprocess.run(["inkgate", "demo", "--once", "--port", "0"], check=True, env=clean, cwd=target)


if __name__ == "__main__":
    main()
