"""Who may sign in to the console, and by which means."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from inkgate.service.permissions.roles import Role
from inkgate.service.settings._group import SettingsGroup, secret


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
        None, description="Our secret there; none for a public client.", json_schema_extra=secret("console")
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
        None, description="Password of that DN.", json_schema_extra=secret("gateway", "console")
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
