"""A client for InkGate and for the OCR endpoint that it replaces. Start with `Client` or `AsyncClient`."""

from inkgate_client._clients import AsyncClient, Client
from inkgate_client._errors import (
    ApiError,
    BadAnswer,
    BodyTooLarge,
    Busy,
    ConnectionLost,
    Forbidden,
    InkGateClientError,
    QuotaExhausted,
    Unauthorised,
)
from inkgate_client._results import Corner, Failure, IdCard, Licence, Line, Page, Plate
from inkgate_client._retry import NEVER, Retry

__all__ = [
    "NEVER",
    "ApiError",
    "AsyncClient",
    "BadAnswer",
    "BodyTooLarge",
    "Busy",
    "Client",
    "ConnectionLost",
    "Corner",
    "Failure",
    "Forbidden",
    "IdCard",
    "InkGateClientError",
    "Licence",
    "Line",
    "Page",
    "Plate",
    "QuotaExhausted",
    "Retry",
    "Unauthorised",
]
