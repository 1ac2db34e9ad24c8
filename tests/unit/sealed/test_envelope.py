"""Opening sealed requests and sealing answers (manual 6.2.4): every code, in the documented order."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inkgate_client._sealing import Sealer as ClientSealer

from inkgate.service.errors import SealFault
from inkgate.service.sealed import SealedRequest, keys, open_answer, open_request, seal_answer, seal_request, sm2
from tests.unit.sealed import oracle
from tests.unit.sealed.conftest import POINT, PRIVATE
from tests.unit.sealed.oracle import Sealer, body, text

PLAIN = '{"data":["_9j_4AAQ"],"备注":"张三"}'.encode()
MESSAGES = {
    40017: ("加密参数不符合要求", "入参格式不符合加密功能要求"),
    40019: ("SM2解密失败", "SM2非对称解密出现异常"),
    40020: ("SM4解密失败", "SM4对称密钥加解密出现异常"),
}


def refusal(document: bytes | dict[str, object]) -> SealFault:
    with pytest.raises(SealFault) as caught:
        open_request(document if isinstance(document, bytes) else body(document), PRIVATE)
    fault = caught.value
    if fault.code in MESSAGES:
        assert (fault.message, fault.details) == MESSAGES[fault.code]
    return fault


@pytest.mark.parametrize("order", ["C1C2C3", "C1C3C2"])
@pytest.mark.parametrize("marker", [True, False])
def test_round_trip(provider: sm2.Provider, order: str, marker: bool):
    opened = open_request(body(Sealer(POINT, order, marker)(PLAIN)), PRIVATE, provider)
    assert opened == SealedRequest(PLAIN, b"0123456789abcdef", b"a key for hashes")
    answer = json.loads(seal_answer(PLAIN, opened))
    assert list(answer) == ["encryptedResult", "encryptedResultHash"]
    assert oracle.sm4_decrypt(opened.sm4_key, base64.b64decode(answer["encryptedResult"])) == PLAIN
    expected = oracle.sm3_hmac(opened.mac_key, answer["encryptedResult"].encode())
    assert base64.b64decode(answer["encryptedResultHash"]) == expected


@pytest.mark.parametrize("size", [1, 8, 32, 64, 100, 255])
def test_hash_keys_of_any_length(size: int):
    mac_key = os.urandom(size)
    assert open_request(body(Sealer(POINT, mac_key=mac_key)(PLAIN)), PRIVATE).mac_key == mac_key


def test_other_alphabet_and_no_padding():
    """Encoders differ; the hash covers the text as it was sent, whichever alphabet it is in."""
    sealer = Sealer(POINT)
    made = sealer(PLAIN)
    for name in ("ciphertextBlob", "encryptedBody", "encryptedHashKey"):
        sealer.replaced[name] = made[name].translate(str.maketrans("+/", "-_")).rstrip("=")
    assert open_request(body(sealer(PLAIN)), PRIVATE).plaintext == PLAIN


@pytest.mark.parametrize("document", [b"", b"{", b"null", b"[]", b"1", b'"text"', b"\xff", b"[" * 100_000, b"{}"])
def test_not_an_envelope(document: bytes):
    assert refusal(document).code == 40017


@pytest.mark.parametrize("name", oracle.FIELDS)
@pytest.mark.parametrize(
    "value", [..., None, 1, "", ["x"], {}, "not base64!", "AAAA\nAAAA", "A", "汉字", "AA=A", "===="]
)
def test_field_of_the_wrong_shape(name: str, value: object):
    made: dict[str, object] = dict(Sealer(POINT)(PLAIN))
    if value is ...:
        del made[name]
    else:
        made[name] = value
    assert refusal(made).code == 40017


@pytest.mark.parametrize("name", ["ciphertextBlob", "encryptedBody"])
@pytest.mark.parametrize("wrong", [bytes(32), bytes(31), b"x"])
def test_wrong_hash(name: str, wrong: bytes):
    fault = refusal(Sealer(POINT, replaced={f"{name}Hash": text(wrong)})(PLAIN))
    assert (fault.code, fault.message) == (40018, f"{name}哈希值不匹配")
    assert fault.details == "相关字段哈希值不匹配，存在被篡改可能"


def test_hash_of_the_bytes_instead_of_the_text():
    sealer = Sealer(POINT)
    made = sealer(PLAIN)
    made["encryptedBodyHash"] = text(oracle.sm3_hmac(sealer.mac_key, base64.b64decode(made["encryptedBody"])))
    assert refusal(made).message == "encryptedBody哈希值不匹配"


@pytest.mark.parametrize("name", ["ciphertextBlob", "encryptedHashKey"])
@pytest.mark.parametrize("bad", [b"short", b"\x04" + b"\x01" * 112, b"\x04" + POINT + bytes(48), bytes(5000)])
def test_key_that_sm2_cannot_open(name: str, bad: bytes):
    assert refusal(Sealer(POINT, replaced={name: text(bad)})(PLAIN)).code == 40019


@pytest.mark.parametrize("bad", [os.urandom(31), os.urandom(15), bytes(16)], ids=["31", "15", "zeros"])
def test_body_that_sm4_cannot_open(bad: bytes):
    assert refusal(Sealer(POINT, replaced={"encryptedBody": text(bad)})(PLAIN)).code == 40020


@pytest.mark.parametrize("size", [1, 15, 17, 24, 32])
def test_sm4_key_of_another_length(size: int):
    assert refusal(Sealer(POINT, sm4_key=os.urandom(size))(PLAIN)).code == 40020


def test_order_of_checks():
    """A body with all faults, corrected one by one: the codes come in the documented order."""
    good = Sealer(POINT)(PLAIN)
    wrong = {name: text(bytes(33)) for name in oracle.FIELDS} | {"ciphertextBlob": "!"}
    seen = []
    for name, value in [
        ("ciphertextBlob", text(bytes(33))),
        ("encryptedHashKey", good["encryptedHashKey"]),
        ("ciphertextBlobHash", text(oracle.sm3_hmac(b"a key for hashes", text(bytes(33)).encode()))),
        ("encryptedBodyHash", text(oracle.sm3_hmac(b"a key for hashes", text(bytes(33)).encode()))),
    ]:
        seen.append(refusal(wrong))
        wrong[name] = value
    seen.append(refusal(wrong))
    wrong |= {"ciphertextBlob": good["ciphertextBlob"], "ciphertextBlobHash": good["ciphertextBlobHash"]}
    seen.append(refusal(wrong))
    assert [fault.code for fault in seen] == [40017, 40019, 40018, 40018, 40019, 40020]
    assert [fault.message[:10] for fault in seen[2:4]] == ["ciphertext", "encryptedB"]


def test_inner_body_is_not_looked_at():
    assert open_request(body(Sealer(POINT)(b"not json")), PRIVATE).plaintext == b"not json"


def test_an_unusable_app_key_is_an_internal_error():
    with pytest.raises(ValueError, match="private key"):
        open_request(body(Sealer(POINT)(PLAIN)), b"")


def test_nothing_secret_in_its_repr():
    opened = SealedRequest(b"plain secret", b"0123456789abcdef", b"mac secret")
    assert repr(opened) == "SealedRequest()"


def test_threads_share_one_provider(provider: sm2.Provider):
    documents = [body(Sealer(POINT, sm4_key=bytes([n]) * 16)(PLAIN)) for n in range(1, 9)]
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda document: open_request(document, PRIVATE, provider), documents * 3))
    assert [request.sm4_key[0] for request in opened] == list(range(1, 9)) * 3


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(oracle.FIELDS),
        st.one_of(st.none(), st.integers(), st.text(max_size=20), st.binary(max_size=150).map(text)),
    )
)
def test_any_fields_give_only_the_four_codes(fields: dict[str, object]):
    assert refusal(fields).code in (40017, 40019)


def test_a_byte_order_mark_before_the_envelope_and_inside_of_it():
    opened = open_request(b"\xef\xbb\xbf" + body(Sealer(POINT)(b"\xef\xbb\xbf{}")), PRIVATE)
    assert opened.plaintext == b"\xef\xbb\xbf{}"


@pytest.mark.parametrize("size", [20_000, 40_001, 300_000])
@pytest.mark.parametrize(
    "form",
    [str, lambda text: text.replace("/", "\\/"), lambda text: text.replace("A", "\\u0041")],
    ids=["plain", "slashes", "escapes"],
)
def test_a_long_text_is_decrypted_in_place(size: int, form: Callable[[str], str]):
    """The hash is of the text that the JSON stands for, however it is written."""
    plain = os.urandom(size)
    sealed, _ = ClientSealer(keys.public_of(PRIVATE)).seal(plain)
    made = json.loads(sealed)
    document = sealed.decode().replace(made["encryptedBody"], form(made["encryptedBody"])).encode()
    assert open_request(bytearray(document), PRIVATE).plaintext == plain
    made["encryptedBody"] = made["encryptedBody"][:-8] + "AAAAAAA="
    assert refusal(json.dumps(made).encode()).code == 40018


@pytest.mark.parametrize("end", ["=", "==", "A", "AA=", "é", "\\u00e9", "*"])
def test_a_long_text_that_is_no_base64(end: str):
    made = dict(Sealer(POINT)(PLAIN)) | {"encryptedBody": "here"}
    document = json.dumps(made).replace('"here"', f'"{"A" * 40_000}{end}"').encode()
    assert refusal(document).code == 40017


def test_the_memory_of_an_envelope_is_bounded():
    with pytest.raises(SealFault) as caught:
        open_request(b'{"x":[' + b"{}," * 500_000 + b"1]}", PRIVATE)
    assert caught.value.code == 40017 and "KiB" in caught.value.details


def test_a_request_of_our_own_is_opened_by_every_provider(provider: sm2.Provider):
    private, public = keys.generate()
    plain = b'{"data": ["aGVsbG8="]}'
    made, request = seal_request(plain, public)
    opened = open_request(made, private, provider)
    assert (bytes(opened.plaintext), opened.sm4_key, opened.mac_key) == (plain, request.sm4_key, request.mac_key)
    sealed = seal_answer(b'{"statusCode":0}', opened)
    assert open_answer(sealed, request) == b'{"statusCode":0}'
    assert open_answer(sealed, seal_request(plain, public)[1]) is None


@pytest.mark.parametrize("public", ["", "AAAA", keys.generate()[1][:-4]])
def test_a_text_that_is_no_public_key_is_refused(public: str):
    with pytest.raises(ValueError, match="public key"):
        seal_request(b"{}", public)
