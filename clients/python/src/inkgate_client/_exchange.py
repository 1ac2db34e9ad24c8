"""One call without network I/O: builds the request and interprets the answer."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from inkgate_client import _results as results
from inkgate_client import _signing as signing
from inkgate_client._errors import BadAnswer, BodyTooLarge, Busy, ConnectionLost, api_error
from inkgate_client._retry import Retry
from inkgate_client._sealing import Seal, Sealer

Image = bytes | os.PathLike[str]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The key pair of the account, the appkey, and the sealer when bodies are encrypted."""

    ak: str
    sk: str
    appkey: str
    sealer: Sealer | None = None

    def __repr__(self) -> str:
        return f"Credentials(ak={self.ak!r})"


class Wait(float):
    """Seconds to wait before the next attempt."""


class Exchange(Generic[Result]):
    """One call. Request id and body are the same in all attempts, so that the service recognises a retry."""

    def __init__(
        self,
        credentials: Credentials,
        retry: Retry,
        path: str,
        document: Mapping[str, Any],
        read: Callable[[Any], Result],
        extras: bool = False,
    ) -> None:
        self.path = path
        self._credentials, self._retry, self._read, self._extras = credentials, retry, read, extras
        self._request_id = str(uuid.uuid4())
        self._seal: Seal | None = None
        self._sent = 0
        self.body = json.dumps(document).encode()
        if credentials.sealer:
            self.body, self._seal = credentials.sealer.seal(self.body)

    def headers(self) -> dict[str, str]:
        """The headers of the next attempt. Each attempt is signed with the current time."""
        self._sent += 1
        key = self._credentials
        headers = signing.headers(key.ak, key.sk, key.appkey, self._request_id, self.body)
        if self._seal:
            headers["decrypted"] = "true"
        if self._extras:
            headers["x-inkgate-extras"] = "1"
        return headers

    def lost(self, error: Exception) -> Wait:
        """The wait after a connection error. Raises ConnectionLost after the last attempt."""
        wait = self._retry.wait(self._sent)
        if wait is None:
            raise ConnectionLost(f"{type(error).__name__}: {error} (request {self._request_id})") from error
        return Wait(wait)

    def answered(self, status: int, headers: Mapping[str, str], content: bytes) -> Result | Wait:
        """The result of an answer, or the wait before a retry. Raises ApiError or BadAnswer."""
        try:
            answer = self._unsealed(self._object(status, content))
            code = answer.get("statusCode")
            if code == 0:
                return self._read(answer["returnObj"])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise BadAnswer(f"HTTP {status}: {error!r} (request {self._request_id})") from error
        number = str(code).removeprefix("CTAPI_")
        refusal = api_error(number, str(answer.get("details") or answer.get("message")), self._request_id, status)
        if isinstance(refusal, Busy):
            wait = self._retry.wait(self._sent, _seconds(headers.get("retry-after", "")))
            if wait is not None:
                return Wait(wait)
        raise refusal

    def _object(self, status: int, content: bytes) -> dict[str, Any]:
        if status == 413:
            raise BodyTooLarge("413", "the body exceeds the limit of the service", self._request_id, status)
        try:
            answer = json.loads(content)
        except ValueError:
            if status in (429, 503):  # from a proxy, without the JSON body of the service
                return {"statusCode": 42900 if status == 429 else 50300, "message": f"HTTP {status}"}
            raise ValueError("not JSON") from None
        if not isinstance(answer, dict):
            raise ValueError("not an object")
        return answer

    def _unsealed(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Decrypt the answer to an encrypted call (manual 6.2.4, 2.6).

        Errors are sent in plain text with a statusCode; encrypted answers have none. Raises ValueError for a success in
        plain text, because its sender did not have the key of the call.
        """
        if self._seal is None:
            return answer
        if "statusCode" in answer:
            if answer["statusCode"] == 0:
                raise ValueError("a success in plain to a sealed call")
            return answer
        plain: dict[str, Any] = json.loads(self._seal.open(answer["encryptedResult"], answer["encryptedResultHash"]))
        return plain


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0


Element = TypeVar("Element")


def _each(read: Callable[[Mapping[str, Any]], Element]) -> Callable[[Any], list[Element | results.Failure]]:
    def elements(answers: Sequence[Mapping[str, Any]]) -> list[Element | results.Failure]:
        return [
            results.Failure(int(answer["err_code"]), answer["err_msg"]) if "err_code" in answer else read(answer)
            for answer in answers
        ]

    return elements


def _text(image: Image) -> str:
    data = image if isinstance(image, bytes) else Path(image).read_bytes()
    return base64.urlsafe_b64encode(data).decode()


class Calls:
    """Creates the exchanges of both clients."""

    def __init__(self, credentials: Credentials, retry: Retry, extras: bool) -> None:
        self._shared = (credentials, retry)
        self._extras = extras

    def general(self, images: Sequence[Image]) -> Exchange[list[results.Page | results.Failure]]:
        path = "/v1/aiop/api/2f3p1pnxpqm8/ocrdetect/ocr/v1/image.json"
        return Exchange(*self._shared, path, _batch(images), _each(results.page), self._extras)

    def idcard(self, images: Sequence[Image]) -> Exchange[list[results.IdCard | results.Failure]]:
        path = "/v1/aiop/api/2f3os7qq79xc/IdentityCard/ocr/v1/idcard.json"
        return Exchange(*self._shared, path, _batch(images), _each(results.id_card), self._extras)

    def plate(self, images: Sequence[Image]) -> Exchange[list[tuple[results.Plate, ...] | results.Failure]]:
        path = "/v1/aiop/api/2gt54ed8660w/driven-plate-ocr/platelicense.json"
        return Exchange(*self._shared, path, _batch(images), _each(results.plates), self._extras)

    def licence(self, image: Image) -> Exchange[results.Licence]:
        path = "/v1/aiop/api/2k8jo3ghhjwg/businesslicense/ocr/v1/BusinessLicense.json"
        document = {"Action": "BusinessCardOCR", "ImageData": _text(image)}
        return Exchange(*self._shared, path, document, results.licence, self._extras)


def _batch(images: Sequence[Image]) -> dict[str, Any]:
    if not 1 <= len(images) <= 50:
        raise ValueError("a call takes 1 to 50 images")
    return {"data": [_text(image) for image in images]}
