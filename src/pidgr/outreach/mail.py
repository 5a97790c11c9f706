"""Mail: the interface, and what stands in for a mail server that is not there."""

import sys
from dataclasses import dataclass
from typing import Protocol

import structlog

log = structlog.get_logger("pidgr.mail")


@dataclass(frozen=True, slots=True)
class Mail:
    """One plain-text message to one address."""

    recipient: str
    subject: str
    text: str
    message_id: str
    """Left of the "@" of its Message-ID: the same for every attempt to send this message."""


class MailRefusedError(Exception):
    """The mail server will never take this message; the sentence is for the operator's log."""


class Mailer(Protocol):
    """Hands mail to the outside."""

    def send(self, mail: Mail) -> None:
        """Send one message.

        Raises:
            UnavailableError: the mail server cannot be reached or asks to wait.
            MailRefusedError: it will not take this message, now or later.
        """


class ConsoleMailer:
    """Writes every message to standard output, for development."""

    def send(self, mail: Mail) -> None:
        """Show the message."""
        sys.stdout.write(f"\nMail to {mail.recipient}: {mail.subject}\n\n{mail.text}\n")
        sys.stdout.flush()


class MissingMailer:
    """Tells the operator's log that mail is wanted and cannot leave."""

    def send(self, mail: Mail) -> None:
        """Refuse the message.

        Raises:
            MailRefusedError: always.
        """
        del mail
        raise MailRefusedError(
            "no mail server is configured: set PIDGR_SMTP_URL and PIDGR_MAIL_FROM, or "
            "PIDGR_DEVELOPMENT=true to see mail on the console"
        )
