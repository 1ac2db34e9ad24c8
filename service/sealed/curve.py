"""The curve sm2p256v1 (GB/T 32918.5, RFC 8998): its parameters, and a check whether a point lies on it.

Points are 64 bytes: x then y, big-endian, without the leading 04 of the uncompressed form.
"""

from __future__ import annotations

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = bytes.fromhex(
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)
POINT = 64  # bytes of a point


def on_curve(point: bytes) -> bool:
    """Whether 64 bytes are a point of the curve. Others would leak the private key (invalid curve attack)."""
    if len(point) != POINT:
        return False
    x, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
    return x < P and y < P and (y * y - (x * x * x + A * x + B)) % P == 0


def valid_private(key: bytes) -> bool:
    """Whether 32 bytes are a private key: 1 <= d <= n-2 (GB/T 32918.1, 6.1)."""
    return len(key) == 32 and 1 <= int.from_bytes(key, "big") <= N - 2
