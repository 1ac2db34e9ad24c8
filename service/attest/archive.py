"""The container of an evidence pack: a zip file of one form, a manifest with SHA-256 of every file, and its signature.

The form leaves no byte open: members are stored, in the order of their names, with one date and one mode. A reader
writes the members again and compares, so that any changed byte of the file is found.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from inkgate.service.audit.canonical import canonical
from inkgate.service.audit.signing import key_id_of, valid
from inkgate.service.errors import InkGateError

FORMAT, FORMAT_VERSION = "inkgate-attest", 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
MAX_BYTES = 64 * 1024 * 1024  # of a pack
MAX_FILES = 64
MAX_MANIFEST = 64 * 1024  # bytes
DATE = (1980, 1, 1, 0, 0, 0)  # of every member; the manifest has the time
MODE = 0o100644 << 16
NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
SIGNATURE_TEXT = re.compile(rb"[0-9a-f]{128}\n")


class PackInvalid(InkGateError):
    """The file is not an evidence pack, or was changed; the message says where."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack whose manifest is signed with `public_key` and fits every file."""

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    @property
    def public_key(self) -> str:
        return str(self.manifest["public_key"])

    def document(self, name: str) -> Any:
        """A JSON file. Raises PackInvalid when it is missing or no JSON."""
        try:
            return json.loads(self.files[name])
        except (KeyError, ValueError, RecursionError):
            raise PackInvalid(f"{name}: missing, or not JSON") from None


def write(files: Mapping[str, bytes], facts: Mapping[str, str], public_key: str, sign: Callable[[str], str]) -> bytes:
    """A signed pack. `facts` go into the manifest. Raises PackInvalid when the files exceed the bounds."""
    for name in files:
        if NAME.fullmatch(name) is None or name in (MANIFEST, SIGNATURE):
            raise PackInvalid(f"{name!r} cannot be a file of a pack")
    manifest = canonical(
        {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            **facts,
            "key_id": key_id_of(public_key),
            "public_key": public_key,
            "files": {
                name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
            },
        }
    )
    packed = _zip({**files, MANIFEST: manifest.encode(), SIGNATURE: (sign(manifest) + "\n").encode()})
    if len(packed) > MAX_BYTES or len(files) + 2 > MAX_FILES:
        raise PackInvalid(f"the pack would have {len(packed):,} bytes, and takes {MAX_BYTES:,}")
    return packed


def read(packed: bytes, trusted: str = "") -> Pack:
    """The pack in a file, with its form, signature and digests verified. `trusted` is the public key that must have
    signed it; without it the key in the pack is believed. Raises PackInvalid."""
    if len(packed) > MAX_BYTES:
        raise PackInvalid(f"the file has {len(packed):,} bytes, and a pack at most {MAX_BYTES:,}")
    members = _members(packed)
    if _zip(members) != packed:
        raise PackInvalid("the zip file has not the form of a pack: bytes outside of its files were changed")
    manifest = _manifest(members, trusted)
    files = {name: data for name, data in members.items() if name not in (MANIFEST, SIGNATURE)}
    listed = manifest["files"]
    if unlisted := sorted(files.keys() ^ listed.keys()):
        raise PackInvalid(f"{unlisted[0]}: is in only one of the pack and its manifest")
    for name, data in files.items():
        if listed[name] != {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}:
            raise PackInvalid(f"{name}: is not what the manifest says")
    return Pack(manifest, files)


def _manifest(members: Mapping[str, bytes], trusted: str) -> dict[str, Any]:
    text, signed = members.get(MANIFEST, b""), members.get(SIGNATURE, b"")
    if not text or len(text) > MAX_MANIFEST or SIGNATURE_TEXT.fullmatch(signed) is None:
        raise PackInvalid(f"{MANIFEST} or {SIGNATURE} is missing or malformed")
    try:
        manifest: Any = json.loads(text)
        public_key = trusted or manifest["public_key"]
        known = (manifest["format"], manifest["version"]) == (FORMAT, FORMAT_VERSION)
        if not known or not isinstance(manifest["files"], dict):
            raise PackInvalid(f"{MANIFEST}: is not of format {FORMAT} {FORMAT_VERSION}")
        if not valid(public_key, text.decode(), signed[:-1].decode()):
            raise PackInvalid(f"{MANIFEST}: is not what key {key_id_of(public_key)} signed")
        if key_id_of(manifest["public_key"]) != key_id_of(public_key) or manifest["key_id"] != key_id_of(public_key):
            raise PackInvalid(f"{MANIFEST}: names another key than the one that signed it")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PackInvalid(f"{MANIFEST}: is malformed") from None
    return dict(manifest)


def _members(packed: bytes) -> dict[str, bytes]:
    """The members, read only when they are stored and few: nothing is decompressed."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            infos = archive.infolist()
            if len(infos) > MAX_FILES:
                raise PackInvalid(f"the zip file has {len(infos)} members, and a pack at most {MAX_FILES}")
            for info in infos:
                if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                    raise PackInvalid("a member of the zip file is compressed, which no file of a pack is")
            return {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise PackInvalid(f"not a zip file, or a damaged one: {error}") from None


def _zip(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr, info.create_system = MODE, 3
            archive.writestr(info, members[name])
    return out.getvalue()
