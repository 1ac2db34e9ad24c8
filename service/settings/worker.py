"""Worker processes, and how they read images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.capabilities.plate import PLATE_TYPES
from inkgate.service.contract.registry import NAME
from inkgate.service.settings._group import SettingsGroup


def _installed(name: str) -> str:
    if name not in CAPABILITIES:
        raise ValueError(f"no capability {name!r} is installed; there are {', '.join(CAPABILITIES)}")
    return name


CapabilityName = Annotated[str, AfterValidator(_installed), Field(pattern=f"^{NAME.pattern}$")]
"""The name of an installed capability. The JSON schema has the form of names alone: a chart does not know what an image
has installed."""


class Worker(SettingsGroup):
    """Worker processes."""

    processes: int = Field(
        0, ge=0, description="Worker processes; 0 means one per core this process may use, on a GPU one."
    )
    at_once: int = Field(
        0, ge=0, le=64, description="Images that a worker reads at once; 0 means one, on a GPU eight (ADR 0014)."
    )
    page_cores: int = Field(
        4,
        ge=1,
        le=64,
        description="Cores that one image may use while other workers are idle, of as many as there are workers; "
        "1 never more than its own (ADR 0066).",
    )
    capabilities: tuple[CapabilityName, ...] = Field(
        tuple(CAPABILITIES), min_length=1, description="Capabilities this worker serves."
    )
    max_images: int = Field(20_000, ge=0, description="A worker leaves after this many images; 0 never.")
    max_rss_mib: int = Field(
        1024, ge=0, description="A worker leaves when its memory passes this and 1.5 times what it had warm; 0 never."
    )
    image_mib: int = Field(
        1536,
        ge=0,
        description="MiB that the image in hand may take beyond what a warm worker holds; one that needs more fails; "
        "0 no limit (ADR 0052).",
    )
    overrun: float = Field(5.0, gt=0, description="Seconds an image may run past its deadline before its worker ends.")
    grace: float = Field(30.0, gt=0, description="Seconds a stopping worker has for the image in hand.")
    health_host: str = Field("127.0.0.1", description="Address for `inkgate worker`'s health and metrics.")
    health_port: int = Field(9091, ge=0, le=65535, description="Port for them; 0 takes a free one.")
    plate_types: dict[str, str] = Field(
        dict(PLATE_TYPES),
        description="What `plate_type` says for each kind of plate (JSON object).",
    )


class Engine(SettingsGroup):
    """How images are read."""

    runtime: Literal["onnx", "paddle", "stub"] = Field("onnx", description="Inference runtime.")
    profile: Literal["fast", "balanced", "best", "accurate"] = Field("balanced", description="Speed against accuracy.")
    model_dir: Path | None = Field(None, description="Directory of operator-supplied models.")
    threads: int = Field(1, ge=1, description="Intra-op threads of one worker.")
    bf16: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Networks in bfloat16 by OpenVINO (extra amx): where CPU and memory allow it, always or never.",
    )
    max_pixels: int = Field(25_100_000, gt=0, description="Largest image that is decoded, in pixels.")
    stub_ms: float = Field(0.0, ge=0, description="Load tests only: milliseconds the stub runtime takes per image.")
