"""Sign-in through an LDAP directory, such as Active Directory: a bind with the user's password, and the user's groups.

`ldap3` is synchronous: each question runs in a thread, few at once, with a time limit on every step.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ldap3 import BASE, NONE, SUBTREE, Connection, Server, Tls
from ldap3.core.exceptions import LDAPException
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn

from inkgate.service.errors import ConfigurationError
from inkgate.service.settings import Ldap
from inkgate.service.users.service import LOGIN

MAX_QUESTIONS = 4  # at once, of one console process
MAX_GROUPS = 1000  # of one user
STEPS = 6  # of one question at most, each with the time limit of the settings
WRONG_CREDENTIALS = 49  # LDAP result code
SUCCESS = 0
_LOGIN, _DN = "{login}", "{dn}"


class DirectoryError(Exception):
    """The directory cannot be used, or its answer is not acceptable. The text is for the log; it holds no password."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user whom the directory has authenticated, with the names of the groups."""

    dn: str
    groups: tuple[str, ...]


class Directory:
    """One directory. Raises ConfigurationError for invalid settings."""

    def __init__(self, settings: Ldap) -> None:
        url = urlsplit(settings.url)
        if url.scheme not in ("ldap", "ldaps") or not url.hostname:
            raise ConfigurationError("INKGATE_LDAP__URL", "is not ldap:// or ldaps:// with a host", "Name the server.")
        if url.scheme == "ldap" and not settings.start_tls and not settings.plain:
            raise ConfigurationError(
                "INKGATE_LDAP__START_TLS",
                "is off, so that passwords would cross the network in the clear",
                "Switch it on, use ldaps://, or allow it with INKGATE_LDAP__PLAIN=true.",
            )
        if (_LOGIN in settings.user_dn) == bool(settings.base):
            raise ConfigurationError(
                "INKGATE_LDAP__USER_DN",
                "needs {login}, or INKGATE_LDAP__BASE has to say where users are searched, and not both",
                "Set one of them.",
            )
        if _LOGIN not in settings.filter or (settings.group_base and _DN not in settings.group_filter):
            raise ConfigurationError(
                "INKGATE_LDAP__FILTER", "has no {login}, or INKGATE_LDAP__GROUP_FILTER no {dn}", "Put them in."
            )
        self._settings = settings
        self._secure = url.scheme == "ldaps"
        self._host, self._port = url.hostname, url.port or (636 if self._secure else 389)
        self._slots = asyncio.Semaphore(MAX_QUESTIONS)

    async def authenticate(self, login: str, password: str) -> Person | None:
        """The user with this login and password; None when the directory has no such user or another password.

        Raises DirectoryError. An empty password is wrong without a question: a bind with one is anonymous and succeeds.
        """
        if not password or LOGIN.fullmatch(login) is None:
            return None
        try:
            async with asyncio.timeout(STEPS * self._settings.timeout), self._slots:
                return await asyncio.to_thread(self._ask, login, password)
        except TimeoutError as error:
            raise DirectoryError("the directory took too long") from error
        except (LDAPException, OSError, ValueError) as error:
            raise DirectoryError(f"{type(error).__name__}: {error}"[:300]) from error

    def _ask(self, login: str, password: str) -> Person | None:
        dn = self._dn_of(login)
        if dn is None:
            return None
        connection = self._connect(dn, password)
        try:
            if connection.result["result"] == WRONG_CREDENTIALS:
                return None
            if connection.result["result"] != SUCCESS:
                raise DirectoryError(f"the bind as {dn} ended with {connection.result['description']}")
            if not self._settings.bind_dn:
                return Person(dn, self._groups(connection, dn))
        finally:
            connection.unbind()
        reader = self._reader()
        try:
            return Person(dn, self._groups(reader, dn))
        finally:
            reader.unbind()

    def _dn_of(self, login: str) -> str | None:
        """The DN of the user, made from the template or searched. Raises DirectoryError when several fit."""
        if self._settings.user_dn:
            return self._settings.user_dn.replace(_LOGIN, escape_rdn(login))
        reader = self._reader()
        try:
            wanted = self._settings.filter.replace(_LOGIN, escape_filter_chars(login))
            found = self._search(reader, self._settings.base, wanted, SUBTREE, [], limit=2)
        finally:
            reader.unbind()
        if len(found) > 1:
            raise DirectoryError(f"several entries fit the login {login!r}")
        return str(found[0]["dn"]) if found else None

    def _groups(self, connection: Connection, dn: str) -> tuple[str, ...]:
        """DNs of the user's groups."""
        settings = self._settings
        if not settings.roles:
            return ()
        if settings.group_base:
            wanted = settings.group_filter.replace(_DN, escape_filter_chars(dn))
            found = self._search(connection, settings.group_base, wanted, SUBTREE, [], limit=MAX_GROUPS)
            return tuple(str(each["dn"]) for each in found)
        name = settings.group_attribute
        found = self._search(connection, dn, "(objectClass=*)", BASE, [name], limit=1)
        values: list[object] = []
        for key, texts in found[0]["attributes"].items() if found else ():
            if key.lower() == name.lower():
                values += texts if isinstance(texts, list) else [texts]
        return tuple(str(each) for each in values[:MAX_GROUPS])

    def _reader(self) -> Connection:
        """A connection that may search: bound as the reader of the settings, or anonymous."""
        secret = self._settings.bind_password
        connection = self._connect(self._settings.bind_dn, secret.get_secret_value() if secret else "")
        if connection.result["result"] != SUCCESS:
            connection.unbind()
            raise DirectoryError(f"the bind as the reader ended with {connection.result['description']}")
        return connection

    def _connect(self, dn: str, password: str) -> Connection:
        """A connection after its bind, whose result the caller checks; encrypted unless the settings allow plain."""
        settings = self._settings
        tls = Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(settings.ca_file) if settings.ca_file else None)
        server = Server(
            self._host, self._port, use_ssl=self._secure, tls=tls, get_info=NONE, connect_timeout=settings.timeout
        )
        connection = Connection(
            server,
            user=dn or None,
            password=password or None,
            receive_timeout=settings.timeout,
            auto_referrals=False,
            read_only=True,
            check_names=False,
        )
        connection.open()
        if settings.start_tls and not self._secure and not connection.start_tls():
            raise DirectoryError("the directory refused StartTLS")
        connection.bind()
        return connection

    def _search(
        self, connection: Connection, base: str, wanted: str, scope: str, attributes: list[str], *, limit: int
    ) -> list[dict[str, Any]]:
        """Entries, without referrals. Raises DirectoryError for a result other than success or too many entries."""
        seconds = self._settings.timeout
        connection.search(base, wanted, scope, attributes=attributes, size_limit=limit, time_limit=seconds)
        if connection.result["description"] not in ("success", "sizeLimitExceeded", "noSuchObject"):
            raise DirectoryError(f"the search in {base} ended with {connection.result['description']}")
        return [each for each in connection.response or [] if each.get("type") == "searchResEntry"]
