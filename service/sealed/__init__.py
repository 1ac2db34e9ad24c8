"""Sealed bodies (manual 6.2.4): SM2 for keys, SM4 for bodies, HMAC-SM3 for integrity. No I/O.

    open_request(body, private_key) -> SealedRequest      raises SealFault
    seal_answer(plaintext, request) -> bytes
    seal_request(plaintext, public key) -> body, SealedRequest     of a request that the service makes itself
    open_answer(sealed, request) -> plaintext                      of an answer to such a request, or of a cloud
    keys.generate() -> (private key, public key as the console shows it)
    sm2.select_provider(name)                                      called at start: selects and tests the SM2 library

Everything here is synchronous and thread-safe; process large bodies in a thread, not on the event loop.
"""

from inkgate.service.sealed import keys, sm2
from inkgate.service.sealed.envelope import SealedRequest, open_answer, open_request, seal_answer, seal_request

__all__ = ["SealedRequest", "keys", "open_answer", "open_request", "seal_answer", "seal_request", "sm2"]
