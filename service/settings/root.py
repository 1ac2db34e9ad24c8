"""All groups together, read from the environment; which of them are secrets."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from inkgate.service.errors import ConfigurationError
from inkgate.service.settings.accounting import Accounts, Billing, Ledger, Orders
from inkgate.service.settings.audit import Audit
from inkgate.service.settings.console import Console
from inkgate.service.settings.gateway import Limits, Server
from inkgate.service.settings.masking import maskable_secrets, passwords
from inkgate.service.settings.notices import Notices
from inkgate.service.settings.security import Security
from inkgate.service.settings.sign_in import Access, Ldap, Oidc
from inkgate.service.settings.stores import Database, Redis
from inkgate.service.settings.takeover import Takeover
from inkgate.service.settings.telemetry import Telemetry
from inkgate.service.settings.worker import Engine, Worker


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
