"""SM2 decryption (GB/T 32918.4) behind one interface, with three providers; encryption for our own requests.

libcrypto   OpenSSL 3 through ctypes: first choice, where the system has it with SM2
gmssl-pyx   GmSSL's C code, as a wheel: second choice, installed on x86_64
gmssl       pure Python: slow, not constant-time; only when selected by name
"""

from inkgate.service.sealed.sm2.ciphertext import decrypt
from inkgate.service.sealed.sm2.encryption import encrypt
from inkgate.service.sealed.sm2.provider import NAMES, Provider, multiplier, select_provider

__all__ = ["NAMES", "Provider", "decrypt", "encrypt", "multiplier", "select_provider"]
