"""SM2 decryption (GB/T 32918.4) behind one interface, with three providers.

libcrypto   OpenSSL 3 through ctypes: the first choice, where the system has one with SM2
gmssl-pyx   GmSSL's C code, in a wheel: the second, always installed
gmssl       pure Python: slow and not constant in time, only when asked for by name
"""

from inkgate.service.sealed.sm2.ciphertext import decrypt
from inkgate.service.sealed.sm2.provider import NAMES, Provider, multiplier, select_provider

__all__ = ["NAMES", "Provider", "decrypt", "multiplier", "select_provider"]
