"""Mail: the interface, and what stands in for a mail server that is not there."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import structlog

from pidgr.errors import UnavailableError
from pidgr.outreach.departure import Departure, NotStartedError

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


class MailOutcome(Enum):
    """What a mail server says to one of many messages."""

    TAKEN = auto()
    LATER = auto()
    """It will not take this message now, while it may take others."""
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class MailAnswer:
    """What became of one of many messages, with the server's code if it did not take it.

    Never the server's words, which often repeat the address.
    """

    outcome: MailOutcome
    code: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """How far many messages have come: answers for the first of them, in order.

    There are fewer answers than messages only after an outage, which goes for all the others, or
    because the others must not start.
    """

    answers: Sequence[MailAnswer]
    outage: UnavailableError | None = None


class BulkMailer(Protocol):
    """Hands much mail to the outside at once."""

    def send_many(self, mails: Sequence[Mail], departure: Departure) -> Posted:
        """Send messages one after another over one connection, unless they must not start.

        Raises:
            MailRefusedError: the mail server will take none at all until the operator acts.
        """


class ConsoleMailer:
    """Writes every message to standard output, for development."""

    def send(self, mail: Mail) -> None:
        """Show the message."""
        sys.stdout.write(f"\nMail to {mail.recipient}: {mail.subject}\n\n{mail.text}\n")
        sys.stdout.flush()

    def send_many(self, mails: Sequence[Mail], departure: Departure) -> Posted:
        """Show the messages."""
        answers: list[MailAnswer] = []
        for mail in mails:
            try:
                with departure.start():
                    self.send(mail)
            except NotStartedError:
                break
            answers.append(MailAnswer(MailOutcome.TAKEN))
        return Posted(answers)


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
