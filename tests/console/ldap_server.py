"""Debian's slapd in a folder of its own, with people and groups, over StartTLS and ldaps."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.tls.authority import Authority
from tests.valkey import free_port

SLAPD = "/usr/sbin/slapd"
SUFFIX = "dc=example,dc=com"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
READER, READER_PASSWORD = f"cn=reader,{SUFFIX}", "the reader's password"
START_SECONDS = 20.0

_CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb.so
moduleload memberof.so
pidfile {folder}/slapd.pid
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
{require}
database mdb
suffix "{suffix}"
rootdn "cn=admin,{suffix}"
rootpw admin
directory {folder}/data
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous {anonymous}
"""

_ENTRIES = f"""
dn: {SUFFIX}
objectClass: domain

dn: {PEOPLE}
objectClass: organizationalUnit

dn: {GROUPS}
objectClass: organizationalUnit

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: {READER_PASSWORD}
"""


class LdapServer:
    """A running server. `people` are uid → password, `groups` are cn → uids."""

    def __init__(self, folder: Path, people: dict[str, str], groups: dict[str, list[str]], *, anonymous: str) -> None:
        authority = Authority(folder, "directory-ca")
        certificate, key = authority.issue("localhost")
        self.ca, self.port, self.tls_port = authority.path, free_port(), free_port()
        (folder / "data").mkdir()
        conf, ldif = folder / "slapd.conf", folder / "entries.ldif"
        made = _CONF.format(
            folder=folder, ca=self.ca, certificate=certificate, key=key, suffix=SUFFIX, anonymous=anonymous, require=""
        )
        conf.write_text(made)
        text = _ENTRIES
        for uid, password in people.items():
            text += f"\ndn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\ncn: {uid}\nsn: {uid}\n"
            text += f"userPassword: {password}\n"
        ldif.write_text(text)
        subprocess.run([SLAPD, "-T", "add", "-f", str(conf), "-l", str(ldif)], check=True, capture_output=True)
        urls = f"ldap://localhost:{self.port}/ ldaps://localhost:{self.tls_port}/"
        self._process = subprocess.Popen(
            [SLAPD, "-d", "0", "-f", str(conf), "-h", urls], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()
        for cn, members in groups.items():
            self.add(
                f"dn: cn={cn},{GROUPS}\nobjectClass: groupOfNames\n"
                + "".join(f"member: uid={uid},{PEOPLE}\n" for uid in members)
            )

    @property
    def url(self) -> str:
        return f"ldap://localhost:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://localhost:{self.tls_port}"

    def add(self, entry: str) -> None:
        """Add an entry while the server runs, so that its overlays see it."""
        self._tool("ldapadd", entry)

    def modify(self, change: str) -> None:
        self._tool("ldapmodify", change)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _tool(self, name: str, text: str) -> None:
        command = [name, "-x", "-H", self.url, "-D", f"cn=admin,{SUFFIX}", "-w", "admin"]
        subprocess.run(command, input=text.encode(), check=True, capture_output=True)

    def _wait(self) -> None:
        limit = time.monotonic() + START_SECONDS
        while time.monotonic() < limit:
            assert self._process.poll() is None, "slapd ended"
            try:
                socket.create_connection(("localhost", self.tls_port), 1.0).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("slapd does not listen")


@contextmanager
def ldap_server(
    folder: Path, people: dict[str, str], groups: dict[str, list[str]], *, anonymous: str = "none"
) -> Iterator[LdapServer]:
    """A server until the end of the block; `anonymous` is what a client without a bind may do."""
    assert shutil.which(SLAPD), "the tests of the directory need Debian's slapd and ldap-utils"
    server = LdapServer(folder, people, groups, anonymous=anonymous)
    try:
        yield server
    finally:
        server.close()
