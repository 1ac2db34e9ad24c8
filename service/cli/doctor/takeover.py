"""Doctor checks before and after clients of a cloud are taken over: host name, certificate, a signed call, imported
apps.

The signed call has a sealed body that cannot be opened, so that no image is sent and no unit is used. It is made only
when the name leads to an address of one's own, and it is found again in the ledger: no other service can show that.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from sqlalchemy.exc import SQLAlchemyError

from inkgate.service import tables  # noqa: F401 - foreign keys need every table
from inkgate.service.accounts import repository as accounts
from inkgate.service.accounts.models import AppRow
from inkgate.service.accounts.service import key_context
from inkgate.service.accounts.vault import load
from inkgate.service.cli.doctor import gateway
from inkgate.service.cli.doctor.finding import Finding
from inkgate.service.cli.doctor.host import expiry
from inkgate.service.contract.capabilities import CAPABILITIES
from inkgate.service.db import engine as databases
from inkgate.service.db import ids, work
from inkgate.service.eop.signing import call_headers
from inkgate.service.errors import InkGateError
from inkgate.service.importing import repository
from inkgate.service.metering.packs import FREE_CAPABILITIES
from inkgate.service.settings import Settings
from inkgate.service.takeover import routes
from inkgate.service.takeover.routes import Mode, Override, Overview
from inkgate.service.usage import repository as usage

CLOUD_HOST = "ai-global.ctapi.ctyun.cn"  # the host name in the manual's samples
_TIMEOUT_SECONDS = 5.0
_LISTED_APPS = 1000
_NAMED_APPS = 10  # in one finding
_LINES_SEARCHED = 500  # latest ledger entries of the probe's app and capability
_UNSEALABLE = b'{"encryptedHashKey":"","ciphertextBlob":"","encryptedBody":""}'
_UNSEAL_CODES = range(40017, 40021)
_CODES = {
    10002: ("the access key is unknown there", "Is it this installation, and is the key enabled?"),
    10020: ("the signature was refused there", "Import the SK again; compare the clocks."),
    10009: ("the signature was refused there", "Import the SK again; compare the clocks."),
    40006: ("the AppKey is unknown there", "Is it this installation, with this database?"),
    40009: ("the signature is good; the app's allow-list excludes this machine", "Run this on a machine in the list."),
    40010: ("the signature is good; the allow-list excludes this machine", "Run this on a machine in the list."),
    51001: ("the signature is good; no pack of the app is valid", "Import the app's remaining units, or grant a pack."),
    51002: ("the signature is good; the app has no pack", "Import the app's remaining units, or grant a pack."),
    51003: ("the signature is good; no units are left", "Import the app's remaining units, or grant a pack."),
}


@dataclass(frozen=True, slots=True)
class Target:
    """What clients connect to. `addresses`: where the name must lead; empty: to any address that is not public.
    `authority`: a PEM file that clients trust; None: the authorities of this machine."""

    host: str = CLOUD_HOST
    port: int = 443
    addresses: tuple[str, ...] = ()
    authority: Path | None = None

    @property
    def url(self) -> str:
        return f"https://{self.host}" if self.port == 443 else f"https://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Probe:
    """What the signed call needs: keys of an imported app, and the ledger's names of it."""

    ak: str
    secret: bytes = field(repr=False)
    app: AppRow
    payer_id: str
    capability: str
    is_sent_on: bool = False  # the gateway may send it to the cloud: mirrored or split, see `inkgate takeover status`


@dataclass(frozen=True, slots=True)
class Imported:
    """The imported apps, the names of those whose account has no imported key, and a probe if one can be made.

    `accounts` maps the id of an app to the name of its account.
    """

    apps: Sequence[AppRow]
    accounts: Mapping[str, str]
    without_key: Sequence[str]
    probe: Probe | None


async def examine(settings: Settings, target: Target) -> list[Finding]:
    """All checks of a takeover."""
    resolved = await _resolve(target)
    place = _place(target, resolved)
    found = [place]
    if resolved:
        found += await _certificate(target)
    try:
        imported = await _imported(settings)
    except (InkGateError, SQLAlchemyError, OSError) as error:
        return [*found, Finding("imported apps", f"not read: {type(error).__name__}", "Run `inkgate doctor`.")]
    if not place.remedy:
        found += await _call(settings, target, imported.probe)
    return [*found, *_apps(imported)]


async def _resolve(target: Target) -> list[str]:
    """The addresses of the host name, as this machine resolves it."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _place(target: Target, resolved: Sequence[str]) -> Finding:
    listed = ", ".join(resolved)
    if not resolved:
        return Finding("host name", f"{target.host} does not resolve here", "Add it to the DNS of this network.")
    if target.addresses:
        unexpected = [each for each in resolved if each not in target.addresses]
        if unexpected:
            return Finding(
                "host name",
                f"{target.host} is {listed}, expected {', '.join(target.addresses)}",
                "Correct the DNS record of this network; wait for its time to live.",
            )
    elif any(ipaddress.ip_address(each.partition("%")[0]).is_global for each in resolved):
        return Finding(
            "host name",
            f"{target.host} is {listed}, a public address: calls from here go to the cloud",
            "Answer the name with the gateway's address in the DNS of this network; if that is public, name it: "
            "--address.",
        )
    return Finding("host name", f"{target.host} is {listed}")


async def _certificate(target: Target) -> list[Finding]:
    """Whether clients that trust the authority accept the certificate, and its expiry."""
    try:
        ends = await asyncio.to_thread(_verified_end, target)
    except ssl.SSLCertVerificationError as error:
        shown = await asyncio.to_thread(_unverified, target)
        return [Finding("certificate", f"{error.verify_message}{shown}", _remedy(target, error))]
    except (OSError, ssl.SSLError) as error:
        name = error.strerror or type(error).__name__
        return [Finding("certificate", f"{target.host}:{target.port}: {name}", "Is a TLS server listening there?")]
    return [expiry(f"covers {target.host}, chain complete,", ends)]


def _remedy(target: Target, error: ssl.SSLCertVerificationError) -> str:
    message = error.verify_message.lower()
    if "hostname" in message or "ip address" in message:
        return f"Issue a certificate whose subjectAltName holds DNS:{target.host}."
    if "expired" in message or "not yet valid" in message:
        return "Renew the certificate and reload what serves it; check this machine's clock."
    if target.authority is None:
        return "Install your authority on this machine, or name its file: --ca. Clients need it as well."
    return "Serve the certificate with its intermediate certificates; is --ca the authority that issued it?"


def _connect(target: Target, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((target.host, target.port), _TIMEOUT_SECONDS)
    try:
        return context.wrap_socket(plain, server_hostname=target.host)
    except BaseException:
        plain.close()
        raise


def _verified_end(target: Target) -> datetime:
    context = ssl.create_default_context(cafile=str(target.authority) if target.authority else None)
    with _connect(target, context) as secure:
        certificate: dict[str, Any] = dict(secure.getpeercert() or {})
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def _unverified(target: Target) -> str:
    """What the certificate says, for the finding; "" when it cannot be read."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _connect(target, context) as secure:
            found = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        listed = ", ".join(names.get_values_for_type(x509.DNSName)[:_NAMED_APPS])
    except (OSError, ValueError, x509.ExtensionNotFound):
        return ""
    return f"; it is for {listed}, by {found.issuer.rfc4514_string()}, until {found.not_valid_after_utc:%Y-%m-%d}"


async def _imported(settings: Settings) -> Imported:
    """Read the imported apps. Raises errors of the database and of the master key."""
    async with databases.opened(settings.database) as engine, work.read_session(engine) as session:
        apps = await repository.imported_apps(session, _LISTED_APPS)
        owners = await repository.accounts_by_id(session, {each.account_id for each in apps})
        keys = await repository.usable_imported_keys(session, set(owners))
        family = {owner.id: owner.parent_id or owner.id for owner in owners.values()}
        account_of = {each.id: owners[each.account_id].name for each in apps}
        without_key = [_named(each, account_of) for each in apps if each.account_id not in keys]
        sent_on = routes_to_the_cloud(await routes.overview(session, enabled=settings.takeover.enabled))
        probe = None
        for app in apps:
            key = await accounts.usable_key(session, keys.get(app.account_id, ""))
            if key is None:  # none, or the account is suspended
                continue
            opened = [each.capability for each in await accounts.opened_capabilities(session, app.id)]
            opened.sort(key=lambda name: ((app.id, name) in sent_on, name not in FREE_CAPABILITIES))
            if not opened:
                continue
            secret = load(settings.security, settings.database).open(key.sealed_secret, key_context(key.ak))
            is_sent_on = (app.id, opened[0]) in sent_on
            if probe is None or not is_sent_on:
                probe = Probe(key.ak, secret, app, family[app.account_id], opened[0], is_sent_on)
            if not is_sent_on:
                break
    return Imported(apps, account_of, without_key, probe)


def routes_to_the_cloud(found: Overview) -> set[tuple[str, str]]:
    """(app id, capability) of those whose calls the cloud may answer."""
    if not found.enabled or found.override is Override.LOCAL:
        return set()
    lines = found.routes
    if found.override is Override.NONE:
        lines = tuple(each for each in lines if each.mode is not Mode.LOCAL)
    return {(each.app_id, each.capability) for each in lines}


async def _call(settings: Settings, target: Target, probe: Probe | None) -> list[Finding]:
    """A signed call through the name: accepted, by this installation, at the right time."""
    if probe is None:
        return [Finding("signed call", "not made: no imported app has an enabled key and an opened capability",
                        "Import keys and capabilities: `inkgate account import`.")]  # fmt: skip
    if settings.billing.seal_fault:
        return [Finding("signed call", "not made: INKGATE_BILLING__SEAL_FAULT charges it", "Make one yourself.")]
    request_id = ids.new()
    headers = call_headers(probe.ak, probe.secret, probe.app.appkey, _UNSEALABLE, request_id) | {"decrypted": "true"}
    path = CAPABILITIES[probe.capability].paths[0]
    try:
        # Trust in the certificate is a finding of its own, which must not hide this one.
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, verify=False, trust_env=False) as http:  # noqa: S501
            answer = await http.post(target.url + path, content=_UNSEALABLE, headers=headers)
        code = int(answer.json()["statusCode"])
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return [Finding("signed call", f"{target.url}: {type(error).__name__}", "Is the gateway running behind it?")]
    except (ValueError, KeyError, TypeError):
        return [Finding("signed call", f"{target.url}{path}: HTTP {answer.status_code}, not the answer of a gateway",
                        "The proxy must hand /v1 on, with the Host header unchanged.")]  # fmt: skip
    recorded = await _recorded(settings, probe, request_id) if code in _UNSEAL_CODES else False
    return [_verdict(probe, code, recorded), *gateway.clock(answer)]


def _verdict(probe: Probe, code: int, recorded: bool) -> Finding:
    app = probe.app.name
    if recorded:
        return Finding("signed call", f"reached this gateway with the keys of {app} (in its ledger, 0 units)")
    if code in _CODES:
        found, remedy = _CODES[code]
        return Finding("signed call", f"{code} for {app}: {found}", remedy)
    if probe.is_sent_on:
        found = "every imported app is routed to the cloud, so this does not show which gateway it was"
        return Finding("signed call", f"answered with {code}; {found}")
    if code in _UNSEAL_CODES:
        found = f"was answered, but is not in this ledger (app {app})"
        return Finding("signed call", found, "Does the name lead to another installation?")
    return Finding("signed call", f"{code} for {app}", "See `inkgate doctor` and the gateway's log.")


async def _recorded(settings: Settings, probe: Probe, request_id: str) -> bool:
    """Whether this installation's ledger has the call."""
    async with databases.opened(settings.database) as engine, work.read_session(engine) as session:
        lines = await usage.records(
            session, probe.payer_id, app_id=probe.app.id, capability=probe.capability, limit=_LINES_SEARCHED
        )
    return any(line.request_id == request_id for line in lines)


def _apps(imported: Imported) -> list[Finding]:
    if not imported.apps:
        return [Finding("imported apps", "none", "Import them: `inkgate account import --template` shows how.")]
    count = f"{len(imported.apps)}{' or more' if len(imported.apps) == _LISTED_APPS else ''}"
    found = [Finding("imported apps", f"{count}, each with an access key of the cloud")]
    if imported.without_key:
        found = [Finding("imported apps", f"{count}; no imported access key for {_names(imported.without_key)}",
                         "Import the access keys of their accounts: `inkgate account import`.")]  # fmt: skip
    sealed = [(_named(each, imported.accounts), each.sm2_imported) for each in imported.apps if each.seals]
    sealing, carried = ([name for name, came_along in sealed if came_along is each] for each in (False, True))
    if sealing:
        found.append(
            Finding(
                "sealing apps",
                f"{_names(sealing)}: the cloud keeps their private keys, so their clients need the public key that "
                "`inkgate app show APPKEY` prints",
            )
        )
    if carried:
        found.append(Finding("sealing apps", f"{_names(carried)}: their key pairs came along"))
    return found


def _named(app: AppRow, account_of: Mapping[str, str]) -> str:
    """An app with its account, since several accounts may use its name."""
    return f"{app.name} ({account_of[app.id]})"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMED_APPS
    return ", ".join(names[:_NAMED_APPS]) + (f" and {more} more" if more > 0 else "")
