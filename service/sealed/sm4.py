"""SM4 in ECB mode with PKCS#7 padding, as specified by the manual (6.2.4, 2.2: "SM4/ECB/PKCS5Padding").

ECB maps equal blocks to equal blocks; the contract requires it, TLS protects the transport. SM4 has keys of 128 bits
only: the manual's "256" does not exist, and BouncyCastle refuses it too.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 16
KEY = 16
_CHUNK_BYTES = 64 * 1024 * BLOCK  # a multiple of BLOCK


def encrypt(key: bytes, plain: bytes) -> bytes:
    """The ciphertext of `plain`. Raises ValueError for a key that is not 16 bytes."""
    count = BLOCK - len(plain) % BLOCK
    state = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()  # noqa: S305 - the contract's mode
    return state.update(plain + bytes([count]) * count) + state.finalize()


def decrypt(key: bytes, ciphertext: bytes) -> bytes:
    """The plain text. Raises ValueError for a wrong key length, a ciphertext of partial blocks, or wrong padding.

    Callers check an HMAC first: otherwise a distinguishable padding error is a padding oracle.
    """
    data = bytearray(ciphertext)
    decrypt_in_place(key, data)
    return bytes(data)


def decrypt_in_place(key: bytes, data: bytearray) -> None:
    """Decrypt in place, without a second copy of the data. Raises ValueError as `decrypt` does."""
    if not data or len(data) % BLOCK:
        raise ValueError("an SM4 ciphertext is one or more blocks of 16 bytes")
    state = Cipher(algorithms.SM4(key), modes.ECB()).decryptor()  # noqa: S305 - the contract's mode
    for at in range(0, len(data), _CHUNK_BYTES):
        data[at : at + _CHUNK_BYTES] = state.update(data[at : at + _CHUNK_BYTES])
    state.finalize()
    count = data[-1]
    if not 1 <= count <= BLOCK or data[-count:] != bytes([count]) * count:
        raise ValueError("the SM4 padding is wrong")
    del data[-count:]
