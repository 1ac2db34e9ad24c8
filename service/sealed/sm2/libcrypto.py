"""SM2 with the system's OpenSSL 3: the scalar multiplication in C, the rest in Python.

OpenSSL multiplies a single point with a Montgomery ladder, in constant time; ctypes releases the GIL meanwhile. The
high-level EVP interface accepts C1C3C2 only and would multiply again for each order tried.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_int, c_size_t, c_void_p
from typing import Any

from inkgate.service.sealed.curve import POINT
from inkgate.service.sealed.sm2.ciphertext import unmask

_FILES = ("libcrypto.so.3", "libcrypto.3.dylib", "libcrypto-3-x64.dll", "libcrypto-3-arm64.dll")
_OID = b"1.2.156.10197.1.301"
_UNCOMPRESSED = 4
_CONSTANT_TIME = 4  # BN_FLG_CONSTTIME

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "OBJ_txt2nid": (c_int, (c_char_p,)),
    "EC_GROUP_new_by_curve_name": (c_void_p, (c_int,)),
    "BN_CTX_new": (c_void_p, ()),
    "BN_CTX_free": (None, (c_void_p,)),
    "BN_bin2bn": (c_void_p, (c_char_p, c_int, c_void_p)),
    "BN_set_flags": (None, (c_void_p, c_int)),
    "BN_clear_free": (None, (c_void_p,)),
    "EC_POINT_new": (c_void_p, (c_void_p,)),
    "EC_POINT_clear_free": (None, (c_void_p,)),
    "EC_POINT_oct2point": (c_int, (c_void_p, c_void_p, c_char_p, c_size_t, c_void_p)),
    "EC_POINT_mul": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "EC_POINT_point2oct": (c_size_t, (c_void_p, c_void_p, c_int, c_char_p, c_size_t, c_void_p)),
}


class Libcrypto:
    """Provider over libcrypto. Raises OSError when there is none, or none with SM2."""

    name = "libcrypto"

    def __init__(self) -> None:
        self._lib = _load()
        # Read-only after creation, so threads may share it; never freed.
        self._group = self._lib.EC_GROUP_new_by_curve_name(self._lib.OBJ_txt2nid(_OID))
        if not self._group:
            raise OSError("this OpenSSL was built without SM2")

    def open(self, private: bytes, c1: bytes, rest: bytes) -> bytes | None:
        shared = self.multiply(private, c1)
        return None if shared is None else unmask(shared, rest)

    def multiply(self, private: bytes, point: bytes) -> bytes | None:
        """d times a point as 64 bytes, or None when OpenSSL refuses the point. Constant in time."""
        lib, group = self._lib, self._group
        context = lib.BN_CTX_new()
        scalar = lib.BN_bin2bn(private, len(private), None)
        operand, product = lib.EC_POINT_new(group), lib.EC_POINT_new(group)
        try:
            if not (context and scalar and operand and product):
                raise MemoryError
            lib.BN_set_flags(scalar, _CONSTANT_TIME)
            if not lib.EC_POINT_oct2point(group, operand, b"\x04" + point, POINT + 1, context):
                return None
            if not lib.EC_POINT_mul(group, product, None, operand, scalar, context):
                return None
            octets = ctypes.create_string_buffer(POINT + 1)
            size = lib.EC_POINT_point2oct(group, product, _UNCOMPRESSED, octets, POINT + 1, context)
            return octets.raw[1:] if size == POINT + 1 else None
        finally:
            lib.EC_POINT_clear_free(product)
            lib.EC_POINT_clear_free(operand)
            lib.BN_clear_free(scalar)
            lib.BN_CTX_free(context)


def _load() -> ctypes.CDLL:
    for file in _FILES:
        try:
            lib = ctypes.CDLL(file)
        except OSError:
            continue
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        return lib
    raise OSError("no libcrypto of OpenSSL 3 on this system")
