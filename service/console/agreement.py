"""The operator's text of the service agreement, read once at the start."""

from __future__ import annotations

from pathlib import Path

from inkgate.service.errors import ConfigurationError

SETTING = "INKGATE_ORDERS__AGREEMENT_FILE"
MAX_BYTES = 256 * 1024


def load_agreement(path: Path | None) -> tuple[str, ...]:
    """The paragraphs of the file, which blank lines separate; empty for None. Raises ConfigurationError for a file that
    cannot be read, is too large, is not UTF-8 or has no text."""
    if path is None:
        return ()
    try:
        with path.open("rb") as file:
            read = file.read(MAX_BYTES + 1)
        text = read.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(SETTING, f"cannot read {path}: {error}", "Name a text file in UTF-8.") from error
    if len(read) > MAX_BYTES:
        raise ConfigurationError(SETTING, f"{path} has more than {MAX_BYTES} bytes", "Name a smaller file.")
    paragraphs = tuple(each.strip() for each in text.replace("\r\n", "\n").split("\n\n") if each.strip())
    if not paragraphs:
        raise ConfigurationError(SETTING, f"{path} has no text", "Write the agreement, or leave the setting empty.")
    return paragraphs
