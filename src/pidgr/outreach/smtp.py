"""Mail through an SMTP server (RFC 5321, submission with TLS as in RFC 8314)."""

import re
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pidgr.errors import SetupError, UnavailableError
from pidgr.outreach.departure import Departure, NotStartedError
from pidgr.outreach.mail import Mail, MailAnswer, MailOutcome, MailRefusedError, Posted

_TIMEOUT_SECONDS: Final = 15.0
_DEFAULT_PORTS: Final = {"smtp": 587, "smtps": 465}
_URL_FORM: Final = "smtp://USER:PASSWORD@HOST:PORT or smtps://USER:PASSWORD@HOST:PORT"
# SMTP replies of 500 and above are final; those of 400 and above ask to try again.
_PERMANENT: Final = 500
# "Service not available, closing transmission channel" (RFC 5321, 4.2.1).
_CLOSING: Final = 421
_STATUS: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed over, and how."""

    host: str
    port: int
    user: str
    password: str
    implicit_tls: bool
    starttls: bool

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read a URL.

        ``smtps://`` is TLS from the first byte. ``smtp://`` demands STARTTLS, because whoever
        strips the offer from the server's greeting would read every code; ``?starttls=off`` gives
        that up, for a relay on the same machine.

        Raises:
            SetupError: no such URL. The message does not repeat it: it may hold a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or _DEFAULT_PORTS[parts.scheme]
            starttls = parse_qs(parts.query).get("starttls", ["on"])[-1]
        except (ValueError, KeyError):
            raise SetupError(f"PIDGR_SMTP_URL cannot be read; use {_URL_FORM}") from None
        if not parts.hostname or starttls not in {"on", "off"}:
            raise SetupError(f"PIDGR_SMTP_URL cannot be read; use {_URL_FORM}")
        return cls(
            host=parts.hostname,
            port=port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            implicit_tls=parts.scheme == "smtps",
            starttls=parts.scheme == "smtp" and starttls == "on",
        )


class SmtpMailer:
    """Sends over a connection of its own at each call. Safe to use from several threads."""

    def __init__(self, url: str, sender: str) -> None:
        self._server = SmtpServer.from_url(url)
        address = parseaddr(sender)[1]
        if "@" not in address:
            raise SetupError(
                "PIDGR_MAIL_FROM must be an address mail may come from, such as "
                "'Pidgr <no-reply@example.com>'"
            )
        self._sender = sender
        self._sender_address = address
        self._tls = ssl.create_default_context()

    def send(self, mail: Mail) -> None:
        """Send one message.

        Raises:
            UnavailableError: the server cannot be reached, asks to wait or refuses our credentials.
            MailRefusedError: it will not take this message, now or later.
        """
        posted = self.send_many([mail], Departure())
        if posted.outage is not None:
            raise posted.outage
        (answer,) = posted.answers
        sentence = f"the mail server answered {answer.code}"
        if answer.outcome is MailOutcome.LATER:
            raise UnavailableError(sentence)
        if answer.outcome is MailOutcome.REFUSED:
            raise MailRefusedError(sentence)

    def send_many(self, mails: Sequence[Mail], departure: Departure) -> Posted:
        """Send messages one after another over one connection, unless they must not start.

        Raises:
            MailRefusedError: the server lacks what we demand of it, such as STARTTLS.
        """
        answers: list[MailAnswer] = []
        try:
            connection = self._connect()
        except smtplib.SMTPAuthenticationError:
            outage = UnavailableError("the mail server refuses our user name and password")
            return Posted(answers, outage)
        except smtplib.SMTPNotSupportedError as error:
            raise MailRefusedError(f"the mail server lacks what this needs: {error}") from error
        except smtplib.SMTPResponseException as error:
            return Posted(answers, _outage(_code(error.smtp_code, error.smtp_error)))
        except (OSError, smtplib.SMTPException) as error:
            return Posted(answers, _outage(str(error)))
        try:
            for mail in mails:
                with departure.start():
                    answers.append(self._hand_over(connection, mail))
        except NotStartedError:
            return Posted(answers)
        except (OSError, smtplib.SMTPException) as error:
            return Posted(answers, _outage(str(error)))
        finally:
            _leave(connection)
        return Posted(answers)

    def _hand_over(self, connection: smtplib.SMTP, mail: Mail) -> MailAnswer:
        """Send one message over an open connection.

        Raises:
            SMTPException: the connection is of no use any more.
            OSError: likewise.
        """
        message = self._message(mail)
        try:
            connection.send_message(message, self._sender_address, [mail.recipient])
        except smtplib.SMTPRecipientsRefused as error:
            return _refusal(*error.recipients[mail.recipient])
        except smtplib.SMTPNotSupportedError:
            return MailAnswer(MailOutcome.REFUSED, "no SMTPUTF8, which this address needs")
        except smtplib.SMTPResponseException as error:
            return _refusal(error.smtp_code, error.smtp_error)
        return MailAnswer(MailOutcome.TAKEN)

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.implicit_tls:
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=_TIMEOUT_SECONDS, context=self._tls
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_SECONDS)
        try:
            if server.starttls:
                connection.starttls(context=self._tls)
            if server.user:
                connection.login(server.user, server.password)
        except BaseException:
            connection.close()
            raise
        return connection

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = mail.recipient
        message["Subject"] = mail.subject
        message["Date"] = formatdate(usegmt=True)
        domain = self._sender_address.rpartition("@")[2]
        message["Message-ID"] = f"<{mail.message_id}@{domain}>"
        # RFC 3834: no out-of-office answers to this.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message


def _refusal(code: int, reply: bytes | str) -> MailAnswer:
    """Return the answer of a server that did not take a message.

    Raises:
        SMTPServerDisconnected: it is about to close the connection, whatever the message.
    """
    said = _code(code, reply)
    if code == _CLOSING:
        raise smtplib.SMTPServerDisconnected(f"the mail server answered {said}")
    return MailAnswer(MailOutcome.REFUSED if code >= _PERMANENT else MailOutcome.LATER, said)


def _code(code: int, reply: bytes | str) -> str:
    """Return a reply's code with the status of RFC 3463 behind it, and nothing else of it."""
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
    found = _STATUS.match(text)
    return f"{code} {found[0]}" if found else str(code)


def _outage(why: str) -> UnavailableError:
    return UnavailableError(f"the mail server cannot be used: {why}")


def _leave(connection: smtplib.SMTP) -> None:
    """Say goodbye; what was taken is taken, however the server answers."""
    try:
        connection.quit()
    except (OSError, smtplib.SMTPException):
        connection.close()
