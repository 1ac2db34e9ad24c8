"""What a gateway listens on and takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from inkgate.service.settings._group import MIB, SettingsGroup


class Server(SettingsGroup):
    """The gateway's socket and the shape of its answers."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    always_200: bool = Field(False, description="Answer every error with HTTP 200 (CONTRACT D5).")
    superset: bool = Field(True, description="Add `code` and `result` aliases to answers (CONTRACT D7).")
    trusted_proxies: tuple[str, ...] = Field((), description="CIDRs whose X-Forwarded-For is believed.")
    admin: bool = Field(True, description="Serve the operator's API at /admin/v1; it opens only to its tokens.")
    clock_window: int = Field(900, ge=0, description="Seconds an eop-date may be off; 0 switches the check off.")
    health_host: str = Field("127.0.0.1", description="Address for health and metrics of `gateway --workers N`.")
    health_port: int = Field(9092, ge=0, le=65535, description="Port for them; 0 takes a free one.")


class Limits(SettingsGroup):
    """Bounds of a request and of what is in work."""

    body_bytes: int = Field(100 * MIB, gt=0, description="Largest request body; above it the 413 page is sent.")
    inflight_bytes: int = Field(512 * MIB, gt=0, description="Body bytes in work per gateway; above it 503.")
    inflight_tasks: int = Field(1000, gt=0, description="Images in work per gateway; above it 503.")
    deadline: float = Field(60.0, gt=0, description="Seconds a call may take from its last body byte.")
    body_timeout: float = Field(
        55.0,
        gt=0,
        description="Seconds a client may take to send its body. Less than a proxy in front waits (60 as a rule): it "
        "would close the connection without an answer.",
    )
    qps: float = Field(10.0, gt=0, description="Requests per second per app and capability by default.")
    weights: dict[str, Annotated[float, Field(ge=0.01, le=100)]] = Field(
        {}, description="Weights of apps at workers and in-flight limits (JSON object, AppKey: 0.01 to 100); else 1."
    )
    killed_workers: int = Field(
        5,
        ge=0,
        description=(
            "Worker deaths by images of one app within killed_window that hold it off; overruns a fifth; 0 never."
        ),
    )
    killed_window: float = Field(600.0, gt=0, description="Seconds for which such a death or overrun counts.")
    hold_off: float = Field(
        600.0, gt=0, description="Seconds an app is held off (503); doubles with each time within a day, up to an hour."
    )
