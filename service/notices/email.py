"""Notices by e-mail: SMTP with STARTTLS or TLS from the first byte, with a time limit for every step."""

from __future__ import annotations

import asyncio
import smtplib
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from inkgate.service.notices.outbound import tls_context
from inkgate.service.notices.outgoing import ChannelConfig, DeliveryFailed, OutgoingNotice
from inkgate.service.notices.texts import plain
from inkgate.service.settings import Notices

MAX_REASON_CHARACTERS = 120


class Mailer:
    """Sends through the mail server of the settings. Raises ConfigurationError for an unreadable file."""

    def __init__(self, settings: Notices) -> None:
        self._settings = settings
        self._tls = tls_context(settings.smtp_ca_file, "INKGATE_NOTICES__SMTP_CA_FILE")

    async def send(self, config: ChannelConfig, notice: OutgoingNotice) -> str:
        """Send one message to all addresses. Returns which of them were refused: a repetition would reach the others
        twice. Raises DeliveryFailed; then no address has it."""
        if not self._settings.smtp_host:
            raise DeliveryFailed("INKGATE_NOTICES__SMTP_HOST is not set")
        mail = message(notice, config.addresses, self._settings.smtp_from)
        return await asyncio.to_thread(self._send, mail, config.addresses)

    def _send(self, mail: EmailMessage, addresses: tuple[str, ...]) -> str:
        settings = self._settings
        try:
            with self._connect() as server:
                if settings.smtp_tls == "starttls":
                    server.starttls(context=self._tls)
                if settings.smtp_user:
                    password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
                    server.login(settings.smtp_user, password)
                refused = server.send_message(mail, parseaddr(settings.smtp_from)[1], list(addresses))
        except smtplib.SMTPResponseException as error:
            raise DeliveryFailed(f"the mail server answered {error.smtp_code} {_reason(error.smtp_error)}") from None
        except smtplib.SMTPRecipientsRefused as error:
            raise DeliveryFailed(_refusal(error.recipients)) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise DeliveryFailed(f"{type(error).__name__} with the mail server") from None
        return _refusal(refused) if refused else ""

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.smtp_tls == "implicit":
            return smtplib.SMTP_SSL(settings.smtp_host, settings.smtp_port, timeout=settings.timeout, context=self._tls)
        return smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=settings.timeout)


def message(notice: OutgoingNotice, addresses: tuple[str, ...], sender: str) -> EmailMessage:
    """The message. Its id is the same in every attempt, so that mail systems drop a repetition."""
    name, address = parseaddr(sender)
    user, _, domain = address.partition("@")
    mail = EmailMessage()
    mail["Subject"] = plain(notice.text.title)
    mail["From"] = Address(plain(name), user, domain)
    mail["To"] = [Address(addr_spec=each) for each in addresses]
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{notice.id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(notice.text.body + "\n", cte="base64")
    return mail


def _refusal(recipients: dict[str, tuple[int, bytes]]) -> str:
    code, reason = next(iter(recipients.values()))
    return f"the mail server refused {len(recipients)} address(es): {code} {_reason(reason)}"


def _reason(text: bytes | str) -> str:
    """What a server said, as one short line."""
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return plain(decoded)[:MAX_REASON_CHARACTERS]
