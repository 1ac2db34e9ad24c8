"""The fuzz targets: one function per parser of untrusted bytes. An exception is a bug.

Every target states what must hold for any input, not only that nothing crashes. `run.py` drives them with atheris,
`test_corpus.py` replays the inputs kept in `corpus/`.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address

import cv2
import inkgate_client
import numpy as np
from inkgate_client import _exchange as client_exchange
from inkgate_client import _results as client_results
from inkgate_client._sealing import Sealer

from inkgate.engines.errors import DecodeError, ImageTooLarge
from inkgate.engines.file_sanitiser import sanitise
from inkgate.engines.imaging import decode, header_size
from inkgate.service.client_ip import client_ip, parse_networks
from inkgate.service.contract.base64_text import decode_pieces
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.images import ImageFault, check_image, decode_base64, image_dimensions
from inkgate.service.contract.requests import decode_and_check, parse
from inkgate.service.contract.routes import resolve
from inkgate.service.eop import header, signature
from inkgate.service.eop.canonical import query_forms
from inkgate.service.errors import Refused, RequestFault, SealFault
from inkgate.service.sealed import keys, open_request, seal_answer, sm3, sm4
from tests.fuzz.image_mutations import mutated
from tests.json_oracle import compare_short

Target = Callable[[bytes], None]
TARGETS: dict[str, Target] = {}
MAX_PIXELS = 1_000_000


def target(function: Target) -> Target:
    TARGETS[function.__name__] = function
    return function


@target
def authorization(data: bytes) -> None:
    """An Eop-Authorization value is refused or parsed; without the key no signature is valid."""
    text = data.decode("latin-1")
    parsed = header.parse(text)
    if parsed is None:
        return
    assert parsed.signed == tuple(sorted(set(parsed.signed))) and "" not in parsed.signed
    assert len(parsed.signature) == 32 and parsed.ak in text
    headers = dict.fromkeys(parsed.signed, text) | {"eop-date": "20260101T000000Z", "ctyun-eop-request-id": text}
    assert not signature.verify(parsed, b"the secret key", headers, text, "0" * 64)
    assert not signature.verify(parsed, b"the secret key", {"ctyun-eop-request-id": text}, text, "0" * 64)
    assert not signature.verify(parsed, b"the secret key", {"eop-date": "20260101T000000Z"}, text, "0" * 64)


@target
def query(data: bytes) -> None:
    """The forms of a query stay few and of bounded length, and the first holds exactly the pairs that were sent."""
    raw = data.decode("latin-1")
    forms = query_forms(raw)
    assert 1 <= len(forms) <= 5 and len(set(forms)) == len(forms)
    assert sorted(forms[0].split("&")) == sorted(raw.split("&"))
    for form in forms:
        form.encode()
        assert len(form) <= 9 * len(raw) + 9  # a broken %-sequence becomes U+FFFD, three octets of three characters


@target
def eop_date(data: bytes) -> None:
    """A date is inside the window or not; text that is no date never is."""
    text = data.decode("latin-1")
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    if signature.in_window(text, now, 900):
        assert signature.in_window(text, now, 0)
        assert re.fullmatch(r"\d{8}T\d{6}Z", text) and text.isascii() and text[:8] in ("20260102", "20260101")


@target
def forwarded(data: bytes) -> None:
    """A client cannot pose as a trusted proxy or invent an address."""
    text = data.decode("latin-1")
    trusted = parse_networks(["10.0.0.0/8", "fd00::/8"])
    assert client_ip("203.0.113.9", text, trusted) == "203.0.113.9"
    hops = [part.strip() for part in text.split(",")]
    found = client_ip("10.0.0.1", text, trusted)
    assert found == "10.0.0.1" or any(_same_address(found, hop) for hop in hops)


def _same_address(found: str, hop: str) -> bool:
    try:
        address = ip_address(hop)
    except ValueError:
        return False
    return str(getattr(address, "ipv4_mapped", None) or address) == found


@target
def route(data: bytes) -> None:
    """Path and method select a capability or a documented refusal."""
    method, _, path = data.decode("latin-1").partition(" ")
    try:
        capability = resolve("/v1/aiop/api/" + path, method)
    except (Refused, RequestFault):
        return
    assert method == "POST" and capability.name in CAPABILITIES


@target
def body(data: bytes) -> None:
    """A JSON body gives one result per image, or a fault that the capability's table lists."""
    for capability in CAPABILITIES.values():
        try:
            texts = parse(capability, data)
            count = len(texts)  # `check` takes them out of the list
            assert 1 <= count <= (1 if capability.single else capability.max_images)
            parsed = decode_and_check(capability, texts)
        except RequestFault as fault:
            assert fault.fault in capability.faults
            continue
        assert len(parsed.images) == count
        for image in parsed.images:
            assert isinstance(image, bytes) or image in capability.faults
            assert isinstance(image, bytes) or not capability.single


_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+")


@target
def base64_text(data: bytes) -> None:
    """Exactly the texts of either alphabet, padded or not, are accepted, with the result of the standard library."""
    text = data.decode("latin-1")
    core = text.rstrip("=")
    valid = bool(_BASE64.fullmatch(core)) and len(core) % 4 != 1 and len(text) - len(core) <= 2
    try:
        made = decode_base64(text)
    except ImageFault as fault:
        assert fault.fault == "base64" and not valid and _in_pieces(data) is None
        return
    assert valid and _in_pieces(data) == made
    assert made == base64.b64decode(core.replace("-", "+").replace("_", "/") + "=" * (-len(core) % 4))


def _in_pieces(data: bytes) -> bytes | None:
    try:
        return bytes(decode_pieces(data[at : at + 7] for at in range(0, len(data), 7)))
    except ValueError:
        return None


@target
def long_strings(data: bytes) -> None:
    """A parser that does not copy long strings accepts what orjson accepts, with the same values."""
    compare_short(data)


PRIVATE = bytes.fromhex("4f0c1e6a9b7d35820c4e91ab67d8f25314a6c09e8b73f1d24e65907ac83b1d52")
SM4_KEY, MAC_KEY = b"0123456789abcdef", b"a key for hashes"
FIELDS = ("ciphertextBlob", "encryptedBody", "encryptedHashKey", "ciphertextBlobHash", "encryptedBodyHash")


@cache
def _sealed() -> dict[str, str]:
    sealer = Sealer(keys.public_of(PRIVATE))
    return {
        "ciphertextBlob": sealer._sm2(SM4_KEY),
        "encryptedHashKey": sealer._sm2(MAC_KEY),
        "encryptedBody": base64.b64encode(sm4.encrypt(SM4_KEY, b'{"data":[]}')).decode(),
    }


@target
def envelope(data: bytes) -> None:
    """A sealed body opens or is refused with one of the four codes.

    The first byte says which of the good parts are replaced by the rest of the input, and whether the hashes are made
    again: so the fuzzer passes each check in turn. With no bit set the input is the whole body.
    """
    choice, rest = data[:1] or b"\0", data[1:]
    if not choice[0]:
        document = rest
    else:
        fields: dict[str, object] = dict(_sealed())
        pieces = rest.split(b"\n") or [b""]
        for number, name in enumerate(("ciphertextBlob", "encryptedBody", "encryptedHashKey")):
            if choice[0] & (1 << number):
                piece = pieces[number % len(pieces)]
                as_text = choice[0] & 0x40
                fields[name] = piece.decode("latin-1") if as_text else base64.b64encode(piece).decode()
        for name in ("ciphertextBlob", "encryptedBody"):
            good = sm3.hmac(MAC_KEY, str(fields[name]).encode())
            fields[f"{name}Hash"] = base64.b64encode(rest[:32] if choice[0] & 0x20 else good).decode()
        document = json.dumps(fields).encode()
    try:
        request = open_request(document, PRIVATE)
    except SealFault as fault:
        assert fault.code in (40017, 40018, 40019, 40020) and fault.message and fault.details
        return
    answer = json.loads(seal_answer(request.plaintext, request))
    assert sm4.decrypt(request.sm4_key, binascii.a2b_base64(answer["encryptedResult"])) == request.plaintext


@target
def picture_header(data: bytes) -> None:
    """Gateway and engine read the same size from an image header, so no other size passes the check."""
    capability = CAPABILITIES["general"]
    try:
        check_image(data, capability)
    except ImageFault as fault:
        assert fault.fault in capability.faults
        return
    size = image_dimensions(data)
    assert all(capability.min_side <= side <= capability.max_side for side in size)
    try:
        assert header_size(data) == size
    except DecodeError:
        return  # refused later is refused


@target
def picture(data: bytes) -> None:
    """Decoding gives a BGR image of the size its header named, or one of two errors. The header alone decides on
    memory, so a size that differs from it would be a bomb."""
    try:
        image = decode(data, MAX_PIXELS)
    except (DecodeError, ImageTooLarge):
        return
    height, width = image.shape[:2]
    assert image.shape == (height, width, 3) and image.dtype == "uint8"
    assert sorted((width, height)) == sorted(header_size(data)) and width * height <= MAX_PIXELS


# Why a file is refused that the decoder alone would have made something of.
_REASONS = re.compile("second frame header|sets its height|breaks off|more than")


@target
def image_decoder(data: bytes) -> None:
    """However an image file is mutated, the size that the gateway checks is the size that the decoder gives, or
    the file is refused for a stated reason. See image_mutations for how the input becomes a file."""
    file = mutated(data)
    try:
        size = image_dimensions(file)
    except ImageFault as fault:
        assert fault.fault == "decode"
        with contextlib.suppress(DecodeError, ImageTooLarge):
            assert decode(file, MAX_PIXELS) is None, "decoded, though it has no header"
        return
    if not 0 < size[0] * size[1] <= MAX_PIXELS:
        return
    alone = _decoder_alone(file)
    assert alone is None or sorted(alone.shape[:2]) == sorted(size), f"{size} was checked, {alone.shape} is decoded"
    try:
        image = decode(file, MAX_PIXELS)
    except DecodeError as error:
        assert alone is None or _REASONS.search(str(error)), f"refused though it can be decoded: {error}"
        return
    assert sorted(image.shape[:2]) == sorted(size)
    if alone is not None and not file.startswith(b"\x89PNG"):  # the decoder alone leaves a PNG's alpha out
        assert np.array_equal(image, alone), "other pixels than those of the untouched file"


def _decoder_alone(file: bytes) -> np.ndarray | None:
    """What the decoder makes of the file, without what we find out about it.

    A PNG is passed without the chunks that `inkgate.engines.file_sanitiser` drops: by the lengths of others it takes
    gigabytes, and OpenCV 5.0 crashes on some animations whose chunks are made up.
    """
    if file.startswith(b"\x89PNG"):
        try:
            file = sanitise(file)
        except DecodeError:
            return None
    try:
        return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None


@target
def client_answer(data: bytes) -> None:
    """For any answer of a server the client returns a result or raises one of its own errors."""
    status = (200, 401, 403, 413, 429, 500, 502, 503)[data[0] % 8] if data else 200
    credentials = client_exchange.Credentials("ak", "sk", "appkey")
    read = client_exchange._each(client_results.page)
    call = client_exchange.Exchange(credentials, inkgate_client.NEVER, "/", {}, read)
    call.headers()
    try:
        call.answered(status, {}, data[1:])
    except inkgate_client.InkGateClientError:
        return
