"""Every setting, read once at process start (CLI or application factory) and passed in.

Environment variables are INKGATE_<GROUP>__<NAME>, for example INKGATE_DATABASE__URL. Secrets can also be read from a
file, by the setting with the suffix `_FILE` where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parseaddr
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from inkgate.service.contract.app_names import APP_NAME
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.contract.capabilities.plate import PLATE_TYPES
from inkgate.service.contract.registry import NAME
from inkgate.service.errors import ConfigurationError
from inkgate.service.permissions.roles import Role

MIB = 1024 * 1024
MIN_SETUP_CODE, MAX_SETUP_CODE = 16, 256  # characters; anyone who guesses the code becomes operator
MIN_AUDIT_DAYS = 180  # network logs are kept for six months (Cybersecurity Law of the PRC, article 21)
SYSLOG_TLS_PORT = 6514
MIN_MASKED_CHARACTERS = 8  # masking shorter secrets everywhere would garble ordinary words
MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
"""An e-mail address in the form that every mail server accepts: no quotes, no blanks, ASCII."""

Part = Literal["gateway", "worker", "console", "migrate"]


def _secret(*parts: Part) -> JsonDict:
    """Marks a setting as a secret needed by `parts` of the service only.

    Chart, reference page, doctor and log redaction use this mark; a test checks that every SecretStr has it.
    """
    return {"secret": list(parts)}


class SettingsGroup(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


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
        {}, description="Shares of apps in workers and room (JSON object, AppKey: weight from 0.01 to 100); else 1."
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


class Database(SettingsGroup):
    """Where accounts, packs and records live."""

    url: str = Field(
        "sqlite+aiosqlite:///inkgate.db",
        description="SQLAlchemy URL: sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/DB; with TLS "
        "…?sslmode=verify-full&sslrootcert=FILE.",
        json_schema_extra=_secret("gateway", "console", "migrate"),
    )
    pool_size: int = Field(4, ge=1, description="Connections kept per gateway process (Postgres).")


class Redis(SettingsGroup):
    """The queue between gateways and workers. Empty URL: the embedded broker of one process tree."""

    url: str = Field(
        "",
        description="redis://[USER:PASSWORD@]HOST:PORT/DB; with TLS rediss://…?ssl_ca_certs=FILE; empty: embedded.",
        json_schema_extra=_secret("gateway", "worker", "console"),
    )
    namespace: str = Field("inkgate", description="Prefix of every key.")
    lease: float = Field(1.5, gt=0.2, description="Seconds of silence after which a worker's task goes to another.")


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


class Accounts(SettingsGroup):
    """What a new account begins with (ADR 0090)."""

    default_app: str = Field(
        "默认应用",
        description="Name of the app that a new account or sub-account gets (manual 4.2); empty: none. Imported "
        "accounts have the apps of their file.",
    )

    @field_validator("default_app")
    @classmethod
    def _app_name(cls, name: str) -> str:
        if name and APP_NAME.fullmatch(name) is None:
            raise ValueError("must be 4 to 15 characters: 汉字, letters, digits, underscores; a letter or 汉字 first")
        return name


class Billing(SettingsGroup):
    """Units per event; the default is the manual's rule (7.1) as docs/adr/0003-billing.md reads it."""

    image_read: int = Field(1, ge=0, le=1, description="An image that was read.")
    image_fault: int = Field(1, ge=0, le=1, description="An image refused for its own fault (base64, format, size …).")
    request_fault: int = Field(1, ge=0, le=1, description="A request-level business error.")
    internal_fault: int = Field(0, ge=0, le=1, description="Our own error on an image (5000, 500001).")
    seal_fault: int = Field(0, ge=0, le=1, description="A sealed body that cannot be opened (40017 to 40020).")


class Orders(SettingsGroup):
    """How orders and refunds are decided (docs/adr/0033-orders.md)."""

    approval: Literal["operator", "immediate", "voucher"] = Field(
        "operator",
        description="Who makes an order's packs: an operator, the order itself (at once), a voucher that covers it.",
    )
    refunds: Literal["operator", "automatic"] = Field(
        "operator", description="Who decides a refund that the rules allow: an operator, or the rules alone (at once)."
    )
    payments: tuple[Literal["balance", "voucher", "offline"], ...] = Field(
        ("balance", "voucher", "offline"),
        min_length=1,
        description="How customers pay in the console: their balance, vouchers, or outside the service; see approval.",
    )
    agreement_file: Path | None = Field(
        None, description="Text file of the service agreement that customers accept; empty: the built-in text."
    )


class Ledger(SettingsGroup):
    """Keeping the ledger (docs/adr/0032-retention.md)."""

    retention_days: int = Field(400, ge=0, description="Days for which single lines are kept; 0 keeps them for ever.")
    housekeeping_minutes: float = Field(15.0, gt=0, description="Minutes between two rounds of housekeeping.")
    recheck_days: int = Field(
        30, ge=1, le=3650, description="Days within which housekeeping reads every line again, to see old ones changed."
    )
    clock_jump_minutes: float = Field(
        5.0, gt=0, le=1440, description="Minutes a clock may be off before nothing is settled by it (ADR 0036)."
    )


class Audit(SettingsGroup):
    """The audit trail (docs/adr/0073-audit-chain.md)."""

    hash: Literal["sm3", "sha256"] = Field("sm3", description="Hash that chains further events.")
    retention_days: int = Field(
        0, ge=0, description="Days for which events are kept, at least 180; 0 keeps them for ever."
    )
    checkpoint_minutes: float = Field(
        15.0, gt=0, le=1440, description="Minutes between two signed checkpoints, as far as there are new events."
    )
    stream: Literal["off", "syslog", "file", "stdout"] = Field(
        "off", description="Where gateways send each event: syslog over TLS, or JSON lines to a file or to stdout."
    )
    syslog: str = Field("", description="HOST[:PORT] of the syslog receiver (RFC 5424 over TLS, RFC 5425).")
    syslog_ca_file: Path | None = Field(
        None, description="PEM file of the authorities for the receiver; empty: the system's."
    )
    syslog_cert_file: Path | None = Field(None, description="PEM file of our certificate, where it asks for one.")
    syslog_key_file: Path | None = Field(None, description="PEM file of the certificate's key.")
    file: Path | None = Field(None, description="File for JSON lines; it is appended to.")

    @field_validator("retention_days")
    @classmethod
    def _long_enough(cls, days: int) -> int:
        """Raises ValueError for a retention shorter than MIN_AUDIT_DAYS."""
        if 0 < days < MIN_AUDIT_DAYS:
            raise ValueError(f"is {days}, and events are kept for at least {MIN_AUDIT_DAYS} days, or for ever with 0")
        return days

    @field_validator("syslog")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        """Raises ValueError for anything but host and port."""
        return _checked_address(address)

    @property
    def syslog_address(self) -> tuple[str, int]:
        """Host and port of the receiver."""
        parts = _split(f"//{self.syslog}")
        return parts.hostname or "", parts.port or SYSLOG_TLS_PORT


class Console(SettingsGroup):
    """The pages for customers and operators."""

    enabled: bool = Field(True, description="Serve the console under /console beside the embedded gateway.")
    host: str = Field("127.0.0.1", description="Address for `inkgate console` to listen on.")
    port: int = Field(8090, ge=0, le=65535, description="Port for it; 0 takes a free one.")
    gateway_url: str = Field(
        "", description="Where the console calls the gateway, e.g. http://gateway:8080; empty: beside itself."
    )
    endpoint: str = Field("", description="The gateway's address as customers see it; empty: as they see the console.")
    idle_minutes: float = Field(30.0, gt=0, description="Minutes without a request after which a session ends.")
    session_hours: float = Field(12.0, gt=0, description="Hours after which a session ends whatever happens.")
    contact: str = Field(
        "",
        max_length=200,
        description="Whom customers ask, shown where something is refused or suspended: a name, a number, an address.",
    )
    reveal_keys: bool = Field(
        True,
        description="Let users see the SecurityKey of an access key again, after their password (manual 6.2.3); "
        "off: it is shown when the key is made, and never again.",
    )
    regions: Path | None = Field(
        None, description="CSV of networks and their provinces (192.0.2.0/24,浙江) for the map of callers."
    )
    wall_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Opens /console/wall, health for a screen on a wall, without a sign-in.",
        json_schema_extra=_secret("console"),
    )
    setup_code: SecretStr | None = Field(
        None,
        description="Lets the first operator be made from another machine; without it only from this one. "
        "16 to 256 characters.",
        json_schema_extra=_secret("console"),
    )

    @field_validator("setup_code")
    @classmethod
    def _long_enough(cls, code: SecretStr | None) -> SecretStr | None:
        """The code without blanks around it, as a form sends it and as a file with a last newline does not."""
        text = code.get_secret_value().strip() if code is not None else ""
        if not text:
            return None
        if not MIN_SETUP_CODE <= len(text) <= MAX_SETUP_CODE:
            raise ValueError(f"has {len(text)} characters, and takes {MIN_SETUP_CODE} to {MAX_SETUP_CODE}")
        return SecretStr(text)


class Access(SettingsGroup):
    """Who may sign in to the console, how, and with which duties (ADR 0075, 0076)."""

    separate_duties: bool = Field(
        False,
        description="Separate system, security and audit administration (三员分立): the operator who may do everything "
        "may then do nothing. Make a security administrator first: `inkgate user create LOGIN --role security`.",
    )
    second_factor: tuple[Role, ...] = Field(
        (), description="Roles that must set up a second factor before anything else (JSON list)."
    )
    password_characters: int = Field(10, ge=8, le=64, description="Least length of a password.")
    password_classes: int = Field(
        0, ge=0, le=4, description="How many of lower case, upper case, digits and other characters a password needs."
    )
    password_history: int = Field(0, ge=0, le=24, description="Earlier passwords that may not be used again.")
    password_days: int = Field(
        0, ge=0, le=3650, description="Days after which a password must be changed at sign-in; 0 never."
    )
    lock_after: int = Field(5, ge=1, le=100, description="Wrong passwords or codes in a row that lock a user.")
    lock_minutes: float = Field(15.0, gt=0, le=1440, description="Minutes for which it is locked.")
    address_attempts: int = Field(
        30, ge=0, le=10_000, description="Failed sign-ins per address and quarter of an hour; 0 no limit."
    )
    name_attempts: int = Field(
        20, ge=0, le=10_000, description="Failed sign-ins per login, known or not, and quarter of an hour; 0 no limit."
    )


class Oidc(SettingsGroup):
    """Signing in to the console through an OpenID Connect provider (docs/howto/console.md)."""

    issuer: str = Field("", description="The provider's issuer URL, https://…; empty: local passwords only.")
    client_id: str = Field("", description="Our name there; its redirect URI is https://HOST/console/oidc/back.")
    client_secret: SecretStr | None = Field(
        None, description="Our secret there; none for a public client.", json_schema_extra=_secret("console")
    )
    scope: str = Field("openid profile email", description="What is asked of the provider, `openid` among it.")
    claim: str = Field("preferred_username", min_length=1, description="The claim that is a user's login here.")
    title: str = Field("", max_length=40, description="What the button is called, e.g. the company's name.")
    groups_claim: str = Field("groups", min_length=1, description="The claim that lists a user's groups.")
    roles: dict[str, Role] = Field(
        {},
        description="Group → role (JSON object); set at each sign-in, the first that fits. Empty: roles stay "
        "as set here.",
    )
    create: bool = Field(False, description="Create an operator at the first sign-in, when a group gives it a role.")


class Ldap(SettingsGroup):
    """Signing in to the console with the password of an LDAP directory or Active Directory (ADR 0076)."""

    url: str = Field("", description="ldap://HOST[:PORT] or ldaps://HOST[:PORT]; empty: no directory.")
    start_tls: bool = Field(True, description="Encrypt an ldap:// connection by StartTLS before anything is sent.")
    plain: bool = Field(False, description="Allow ldap:// without TLS: passwords cross the network in the clear.")
    ca_file: Path | None = Field(None, description="PEM file of the authorities for the server; empty: the system's.")
    user_dn: str = Field("", description="DN of a user, `uid={login},ou=people,dc=example,dc=com`; or set `base`.")
    base: str = Field("", description="Where users are searched, `dc=example,dc=com`.")
    filter: str = Field("(uid={login})", description="Filter of that search; for AD `(sAMAccountName={login})`.")
    bind_dn: str = Field("", description="DN that may search; empty: anonymous, or the user for its own groups.")
    bind_password: SecretStr | None = Field(
        None, description="Password of that DN.", json_schema_extra=_secret("gateway", "console")
    )
    group_attribute: str = Field("memberOf", min_length=1, description="Attribute of a user that lists the groups.")
    group_base: str = Field("", description="Where groups are searched instead, for servers without that attribute.")
    group_filter: str = Field("(member={dn})", description="Filter of that search.")
    roles: dict[str, Role] = Field(
        {},
        description="DN of a group → role (JSON object); set at each sign-in, the first that fits. Empty: roles stay "
        "as set here.",
    )
    create: bool = Field(False, description="Create an operator at the first sign-in, when a group gives it a role.")
    timeout: int = Field(5, ge=1, le=60, description="Seconds for each step of a question to the directory.")


class Security(SettingsGroup):
    """Secrets."""

    master_key: SecretStr | None = Field(
        None,
        description="Base64 of 32 bytes; seals stored secrets. Older keys may follow after commas.",
        json_schema_extra=_secret("gateway", "console"),
    )
    master_key_file: Path | None = Field(
        None, description="File with master keys (mode 0600), one a line, the current one first."
    )
    master_key_command: tuple[str, ...] = Field(
        (),
        description="Program and arguments (JSON list) that print master keys as in such a file, for example a client "
        "of a KMS or HSM. It is run once at the start of each process, without a shell and without our settings.",
    )
    master_key_command_seconds: float = Field(10.0, gt=0, le=120, description="Seconds that this program may take.")
    cipher: Literal["aes-256-gcm", "sm4-gcm"] = Field(
        "aes-256-gcm",
        description="Cipher of secrets stored from now on; those stored already open with either. `inkgate keys "
        "reseal` converts them. Set sm4-gcm only when every process runs a release that has it.",
    )
    kept_answers: Literal["plain", "sealed", "none"] = Field(
        "plain",
        description="How charged answers are kept until they are delivered, for ten minutes at most: as they are, "
        "sealed with the master key (set it when every gateway runs a release that has it), or not at all: then a "
        "repeated request is read and charged again (docs/explanation/personal-data.md).",
    )
    sm2: Literal["auto", "libcrypto", "gmssl-pyx", "gmssl"] = Field(
        "auto", description="Library that opens sealed bodies; auto takes libcrypto, else gmssl-pyx."
    )


class Takeover(SettingsGroup):
    """Taking over from the public cloud: calls sent on to it, by app and capability (docs/adr/0055-takeover-routes.md).

    With an empty `url` nothing is sent anywhere and the routes of the database have no effect.
    """

    url: str = Field(
        "", description="Origin of the cloud, https://HOST[:PORT]; empty: off, no call leaves the network."
    )
    address: str = Field(
        "",
        description="HOST[:PORT] to connect to in place of the URL's, for example where DNS leads the cloud's name to "
        "InkGate itself; certificate and SNI stay those of the URL.",
    )
    ca_file: Path | None = Field(None, description="PEM file of the authorities for the cloud; empty: the system's.")
    proxy_url: str = Field(
        "",
        description="http://[USER:PASSWORD@]HOST:PORT of an HTTP proxy on the way to the cloud.",
        json_schema_extra=_secret("gateway"),
    )
    connect_timeout: float = Field(
        5.0, gt=0, le=60, description="Seconds for a connection to the cloud, waiting for a free one included."
    )
    read_timeout: float = Field(60.0, gt=0, le=600, description="Seconds for the cloud's whole answer to one call.")
    max_connections: int = Field(64, ge=1, le=4096, description="Connections to the cloud per gateway.")
    fallback: bool = Field(
        False, description="Send a call of a routed app to the cloud when this service is overloaded, in place of 503."
    )
    shadow_calls: int = Field(100, ge=0, le=10_000, description="Mirrored calls that wait to be read here; 0 none.")
    shadow_bytes: int = Field(64 * MIB, gt=0, description="Bytes of those calls and their answers, per gateway.")
    shadow_at_once: int = Field(1, ge=1, le=64, description="Mirrored calls that a gateway reads at once.")
    shadow_wait: float = Field(
        30.0, gt=0, le=3600, description="Seconds that a mirrored call waits for a free worker before it is left out."
    )
    report_values: int = Field(
        50, ge=0, le=1000, description="Pairs of different values that the report keeps per app, field and day; 0 none."
    )
    report_value_days: int = Field(30, ge=1, le=400, description="Days for which they are kept.")
    report_personal: bool = Field(
        False, description="Keep such values also of fields that may identify a person, and of running text."
    )

    @field_validator("url")
    @classmethod
    def _an_origin(cls, url: str) -> str:
        """Raises ValueError for anything but scheme, host and port."""
        if not url:
            return ""
        parts = _split(url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError(f"{without_passwords(url)!r} is not https://HOST[:PORT]")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
            raise ValueError("takes scheme, host and port only, as in https://ocr.example.com")
        return url.rstrip("/")

    @field_validator("address")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        """Raises ValueError for anything but host and port."""
        return _checked_address(address)

    @field_validator("proxy_url")
    @classmethod
    def _a_proxy(cls, proxy_url: str) -> str:
        """Raises ValueError for anything but an HTTP proxy."""
        parts = _split(proxy_url) if proxy_url else None
        if parts is not None and (parts.scheme != "http" or not parts.hostname):
            raise ValueError("is not http://[USER:PASSWORD@]HOST:PORT")
        return proxy_url

    @property
    def enabled(self) -> bool:
        """Whether calls may be sent to the cloud."""
        return bool(self.url)


def _checked_address(address: str) -> str:
    """`address`. Raises ValueError for anything but HOST[:PORT] and nothing."""
    parts = _split(f"//{address}") if address else None
    if parts is not None and (not parts.hostname or parts.netloc != address or parts.username is not None):
        raise ValueError(f"{address!r} is not HOST[:PORT]")
    return address


def _split(url: str) -> SplitResult:
    """The parts of a URL. Raises ValueError when it cannot be parsed."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError outside 0 to 65535
    except ValueError:
        raise ValueError("is not a URL with a valid host and port") from None
    return parts


class Notices(SettingsGroup):
    """Notices to customers and operators (docs/howto/notices.md)."""

    enabled: bool = Field(True, description="Look for conditions and send notices about them.")
    interval: float = Field(60.0, gt=0, le=3600, description="Seconds between two looks.")
    language: Literal["zh", "en"] = Field("zh", description="Language of a channel that names none.")
    low_percent: int = Field(
        10,
        ge=0,
        le=100,
        description="A balance is low at this share of the valid units; 0 never. Per account: console.",
    )
    low_days: int = Field(
        7, ge=0, le=365, description="A balance is low when it lasts these days at the rate of the last week; 0 never."
    )
    expiry_days: int = Field(
        14, ge=0, le=365, description="Days before its end a pack with units is announced; 0 never."
    )
    waiting_minutes: float = Field(
        10.0, ge=0, description="Minutes after which an undecided order or refund is announced."
    )
    workers_seconds: float = Field(120.0, ge=0, description="Seconds without a live worker before that is announced.")
    certificate_days: int = Field(21, ge=1, le=365, description="Days before its end a certificate is announced.")
    certificate_hosts: tuple[str, ...] = Field(
        (),
        description="HOST:PORT of TLS servers whose certificates are watched, besides INKGATE_TELEMETRY__CERTIFICATES.",
    )
    attempts: int = Field(8, ge=1, le=20, description="Times that a notice is tried before it counts as failed.")
    timeout: float = Field(10.0, gt=0, le=60, description="Seconds for one attempt; a mail server gets it per step.")
    kept_days: int = Field(180, ge=1, le=3650, description="Days for which sent and failed notices are listed.")
    smtp_host: str = Field("", description="Mail server; empty: no e-mail.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", description="TLS to it: STARTTLS, from the first byte (port 465), or none (inside one host only)."
    )
    smtp_ca_file: Path | None = Field(None, description="PEM file of the authorities for it; empty: the system's.")
    smtp_user: str = Field("", description="User name there; empty: no authentication.")
    smtp_password: SecretStr | None = Field(None, description="Password there.", json_schema_extra=_secret("gateway"))
    smtp_from: str = Field("", description="Sender's address, for example InkGate <inkgate@example.com>.")
    customer_hosts: tuple[str, ...] = Field(
        ("qyapi.weixin.qq.com", "oapi.dingtalk.com", "open.feishu.cn"),
        description="Hosts to which customers' webhooks and robots may send; operators may name any host.",
    )
    networks: tuple[str, ...] = Field(
        (),
        description="CIDRs to which webhooks and robots may send besides public addresses (customers) and all but "
        "loopback and link-local ones (operators).",
    )
    plain_http: bool = Field(False, description="Accept http:// URLs of webhooks and robots; else https:// only.")
    ca_file: Path | None = Field(None, description="PEM file of the authorities for them; empty: the system's.")
    proxy_url: str = Field(
        "",
        description="http://[USER:PASSWORD@]HOST:PORT of an HTTP proxy for them; it resolves the names then.",
        json_schema_extra=_secret("gateway"),
    )

    @field_validator("smtp_from")
    @classmethod
    def _one_address(cls, text: str) -> str:
        """Raises ValueError for anything but one address, with or without a name."""
        if not text:
            return ""
        if not text.isprintable() or not MAIL_ADDRESS.fullmatch(parseaddr(text)[1]):
            raise ValueError("is not an address like InkGate <inkgate@example.com>")
        return text

    @field_validator("networks")
    @classmethod
    def _cidrs(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        """Raises ValueError for anything but networks."""
        for each in networks:
            ip_network(each)
        return networks

    @field_validator("certificate_hosts")
    @classmethod
    def _hosts_and_ports(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """Raises ValueError for anything but host and port."""
        for each in hosts:
            parts = _split(f"//{each}")
            if not parts.hostname or not parts.port or parts.netloc != each or parts.username is not None:
                raise ValueError(f"{each!r} is not HOST:PORT")
        return hosts

    @field_validator("proxy_url")
    @classmethod
    def _a_proxy(cls, proxy_url: str) -> str:
        """Raises ValueError for anything but an HTTP proxy."""
        parts = _split(proxy_url) if proxy_url else None
        if parts is not None and (parts.scheme != "http" or not parts.hostname):
            raise ValueError("is not http://[USER:PASSWORD@]HOST:PORT")
        return proxy_url

    @model_validator(mode="after")
    def _complete_mail(self) -> Notices:
        """Raises ValueError for a mail server without a sender, and for a password that would go in clear."""
        if self.smtp_host and not self.smtp_from:
            raise ValueError("INKGATE_NOTICES__SMTP_HOST needs INKGATE_NOTICES__SMTP_FROM")
        if self.smtp_user and self.smtp_tls == "none":
            raise ValueError("INKGATE_NOTICES__SMTP_USER needs TLS: set INKGATE_NOTICES__SMTP_TLS")
        return self


class Telemetry(SettingsGroup):
    """Logs, metrics and traces."""

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or plain text.")
    traces_endpoint: str = Field("", description="OTLP/HTTP address for traces (…/v1/traces); empty: no export.")
    traces_ratio: float = Field(1.0, ge=0, le=1, description="Share of the traces begun here that is exported.")
    accounts: tuple[str, ...] = Field((), description="Account ids whose pack balances are shown as metrics.")
    certificates: tuple[Path, ...] = Field((), description="PEM files whose end of validity is shown as a metric.")


class Settings(BaseSettings):
    """All settings; immutable."""

    model_config = SettingsConfigDict(
        env_prefix="INKGATE_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
        frozen=True,
        extra="ignore",
    )

    server: Server = Server()
    limits: Limits = Limits()
    database: Database = Database()
    redis: Redis = Redis()
    worker: Worker = Worker()
    engine: Engine = Engine()
    accounts: Accounts = Accounts()
    billing: Billing = Billing()
    orders: Orders = Orders()
    ledger: Ledger = Ledger()
    audit: Audit = Audit()
    console: Console = Console()
    access: Access = Access()
    oidc: Oidc = Oidc()
    ldap: Ldap = Ldap()
    security: Security = Security()
    takeover: Takeover = Takeover()
    notices: Notices = Notices()
    telemetry: Telemetry = Telemetry()


def load(**overrides: object) -> Settings:
    """Read the settings from the environment; `overrides` are groups from the command line.

    Raises ConfigurationError with the name of the first invalid setting.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except SettingsError as error:  # invalid JSON for a list or an object; pydantic names only the group
        group = str(error).partition('"')[2].partition('"')[0].upper()
        raise ConfigurationError(
            f"INKGATE_{group}__…", "a list or an object that is not JSON", 'Write it as JSON, as in ["10.0.0.0/8"].'
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        name = "INKGATE_" + "__".join(str(part).upper() for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(name, problem, "See docs/reference/settings.md for what it takes.") from None


@dataclass(frozen=True, slots=True)
class SecretSetting:
    """A setting that is a secret or a URL that may contain one; `parts` are the processes that need it."""

    group: str
    name: str
    parts: tuple[str, ...]

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"INKGATE_{self.group}__{self.name}".upper()


def secret_settings() -> tuple[SecretSetting, ...]:
    """All settings marked as secret."""
    model = Settings.model_json_schema()
    found = []
    for group, reference in model["properties"].items():
        definition = model["$defs"][(reference.get("$ref") or reference["allOf"][0]["$ref"]).rsplit("/", 1)[1]]
        for name, schema in definition["properties"].items():
            if "secret" in schema:
                found.append(SecretSetting(group, name, tuple(schema["secret"])))
    return tuple(found)


def secret_values(settings: Settings) -> tuple[str, ...]:
    """The strings to mask in all output: each secret in use, and the passwords of URLs as written and decoded.

    Strings shorter than `MIN_MASKED_CHARACTERS` are left out. Longest first.
    """
    found: set[str] = set()
    for each in secret_settings():
        value = getattr(getattr(settings, each.group), each.name)
        if isinstance(value, SecretStr):
            found |= {value.get_secret_value(), *value.get_secret_value().split(",")}
        elif isinstance(value, str):
            found |= passwords(value)
    return maskable_secrets(found)


def maskable_secrets(secrets: Iterable[str]) -> tuple[str, ...]:
    """The `secrets` of at least MIN_MASKED_CHARACTERS; longest first, since one may be a substring of another."""
    return tuple(sorted((text for text in secrets if len(text) >= MIN_MASKED_CHARACTERS), key=len, reverse=True))


def passwords(url: str) -> set[str]:
    """The passwords that a URL may contain, as written and decoded; with an unescaped `@` or `/`, every reading."""
    rest = url.partition("://")[2]
    whole, shortest = rest.rpartition("@")[0], rest.partition("@")[0] if "@" in rest else ""
    written = {user.partition(":")[2] for user in (whole, shortest)}
    options = {value for name, value in parse_qsl(rest.partition("?")[2]) if "passw" in name.lower()}
    return {form for text in written | options for form in (text, unquote(text))} - {""}


def without_passwords(text: str) -> str:
    """`text`, for example a URL, with `***` for every password in it."""
    return mask(text, passwords(text))


def mask(text: str, secrets: Iterable[str]) -> str:
    """`text` with `***` for each of `secrets`, longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
