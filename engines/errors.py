"""What can go wrong inside an engine.

EngineError
├── DecodeError        the bytes are not a decodable image
├── ImageTooLarge    decoding would pass the limit on pixels
└── ModelError         a model file is missing, or is not the one the manifest names
"""


class EngineError(Exception):
    """The base of all engine errors."""


class DecodeError(EngineError):
    """The bytes cannot be decoded into an image."""


class ImageTooLarge(EngineError):
    """The image holds more pixels than the engine may decode."""


class ModelError(EngineError):
    """A model file is missing or altered; the message names the file and the remedy."""
