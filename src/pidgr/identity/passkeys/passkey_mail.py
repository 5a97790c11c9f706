"""Tells people by mail that a passkey of theirs was made or taken away (OWASP ASVS 5.0 6.3.7).

Whoever did it with somebody else's session gets no say in it: the mail goes to the address the
person signs in with, holds no word of the passkey's name, and commits with the passkey.
"""

from datetime import UTC, datetime
from typing import Final

import structlog

from pidgr.clock import SECOND
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.engine.port import Engine, Queue, Task
from pidgr.identity import identity_store
from pidgr.identity.passkeys.passkey_mail_texts import Change, passkey_text
from pidgr.outreach.mail import Mail, Mailer, MailRefusedError
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction

_TASK: Final = "mail-passkey-change"

log = structlog.get_logger("pidgr.identity")


class PasskeyMail:
    """The outbox of such mail.

    Args:
        database: where people are.
        engine: what sends it.
        mailer: how.
        url: of the page where people look after their passkeys.
    """

    def __init__(self, database: Database, engine: Engine, mailer: Mailer, url: str) -> None:
        self._database = database
        self._engine = engine
        self._mailer = mailer
        self._url = url

    def register(self) -> None:
        """Give the engine its handler."""
        self._engine.register(_TASK, self.send)

    def enqueue(
        self, transaction: Transaction, change: Change, subject: str, passkey_id: str, now: int
    ) -> None:
        """Have a person told once the transaction has committed."""
        arguments = (change.value, subject, passkey_id, now)
        key = f"{_TASK}/{change.value}/{passkey_id}"
        self._engine.enqueue(transaction, Task(_TASK, key, arguments, queue=Queue.CALLS))

    def send(self, change: str, subject: str, passkey_id: str, when: int) -> None:
        """Tell a person, unless they are gone.

        Raises:
            UnavailableError: the mail server asks to try again.
        """
        mail = self._database.read_now(
            lambda reader: self._mail(reader, Change(change), subject, passkey_id, when)
        )
        if mail is None:
            return
        try:
            self._mailer.send(mail)
        except MailRefusedError as error:
            problem = str(error)
            log.error(  # noqa: TRY400 - the sentence says it all
                "nobody was told of a passkey", subject=subject, passkey=passkey_id, problem=problem
            )

    def _mail(
        self, reader: Reader, change: Change, subject: str, passkey_id: str, when: int
    ) -> Mail | None:
        address = identity_store.address_if_known(reader, subject)
        if address is None:
            return None
        joined = identity_store.memberships(reader, subject, when)
        locales = [
            one.preferred_locale or one.default_locale
            for one in joined
            if one.status != UserStatus.DEACTIVATED
        ]
        moment = f"{datetime.fromtimestamp(when // SECOND, UTC):%Y-%m-%d %H:%M} UTC"
        title, text = passkey_text(change, next(iter(locales), ""), moment, self._url)
        return Mail(address, title, text, message_id=f"passkey-{change.value}-{passkey_id}")
