"""Interface encryption (manual 6.2.4): SM2 for the keys, SM4 for bodies, HMAC-SM3 for both. Extra `sealed`."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets

from inkgate_client._errors import BadAnswer

_SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")


class Sealer:
    """Encrypts requests with the public key of an app, the Base64 text shown in the console. Raises ValueError."""

    def __init__(self, enckey: str) -> None:
        try:
            import cryptography  # noqa: F401
            import gmssl_pyx  # noqa: F401
        except ImportError:
            raise ImportError("encrypted bodies need the extra: pip install 'inkgate-client[sealed]'") from None
        try:
            der = base64.b64decode(enckey, validate=True)
        except (binascii.Error, ValueError):
            der = b""
        if len(der) != len(_SPKI_HEAD) + 64 or not der.startswith(_SPKI_HEAD):
            raise ValueError("enckey is not an app's public key: copy the whole text from the console")
        self._point = der[len(_SPKI_HEAD) :]

    def seal(self, body: bytes) -> tuple[bytes, Seal]:
        """The encrypted body and the keys of the call, which decrypt its answer. Keys are new for every call."""
        seal = Seal(secrets.token_bytes(16), secrets.token_bytes(16))
        fields = {
            "ciphertextBlob": self._sm2(seal.sm4_key),
            "encryptedBody": base64.b64encode(seal.sm4(body, decrypt=False)).decode(),
            "encryptedHashKey": self._sm2(seal.mac_key),
        }
        for name in ("ciphertextBlob", "encryptedBody"):
            fields[f"{name}Hash"] = seal.mac(fields[name])
        return json.dumps(fields).encode(), seal

    def _sm2(self, key: bytes) -> str:
        """SM2 ciphertext as 04, C1, C3, C2 (the order of the manual), converted from the DER of the library."""
        import gmssl_pyx

        x, y, c3, c2 = _integers_and_octets(gmssl_pyx.sm2_encrypt(self._point, key))
        return base64.b64encode(b"\x04" + x.rjust(32, b"\0") + y.rjust(32, b"\0") + c3 + c2).decode()


class Seal:
    """The two keys of one request."""

    def __init__(self, sm4_key: bytes, mac_key: bytes) -> None:
        self.sm4_key, self.mac_key = sm4_key, mac_key

    def open(self, encrypted_result: str, encrypted_result_hash: str) -> bytes:
        """The decrypted answer. Raises BadAnswer when it does not match its hash or cannot be decrypted."""
        if not hmac.compare_digest(self.mac(encrypted_result).encode(), encrypted_result_hash.encode()):
            raise BadAnswer("encryptedResult does not match its hash")
        try:
            return self.sm4(base64.b64decode(encrypted_result, validate=True), decrypt=True)
        except ValueError as error:
            raise BadAnswer(f"encryptedResult cannot be decrypted: {error}") from None

    def mac(self, text: str) -> str:
        """HMAC-SM3 of the Base64 text of a field, in Base64."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.hmac import HMAC

        state = HMAC(self.mac_key, hashes.SM3())
        state.update(text.encode())
        return base64.b64encode(state.finalize()).decode()

    def sm4(self, data: bytes, *, decrypt: bool) -> bytes:
        """SM4/ECB with PKCS#7 padding. Raises ValueError for an invalid ciphertext."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7

        cipher = Cipher(algorithms.SM4(self.sm4_key), modes.ECB())  # noqa: S305 - the contract's mode
        if decrypt:
            opened = cipher.decryptor()
            unpad = PKCS7(128).unpadder()
            return unpad.update(opened.update(data) + opened.finalize()) + unpad.finalize()
        pad = PKCS7(128).padder()
        sealed = cipher.encryptor()
        return sealed.update(pad.update(data) + pad.finalize()) + sealed.finalize()


def _integers_and_octets(der: bytes) -> list[bytes]:
    """The members x, y, C3 and C2 of the DER SEQUENCE. For 16-byte keys all member lengths fit into one byte."""
    at = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    members = []
    while at < len(der):
        size, start = der[at + 1], at + 2
        members.append(der[start : start + size][-32:] if der[at] == 0x02 else der[start : start + size])
        at = start + size
    return members
