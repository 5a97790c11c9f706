"""Sends codes by mail, as a task of the durable engine.

The same task runs for an address nobody has: only here is looked up who it belongs to, so that
asking for a code is the same work, and takes the same time, for everybody.
"""

from typing import Final

import structlog

from pidgr.clock import MINUTE, Clock
from pidgr.engine.port import Engine, Queue, Task
from pidgr.identity import attempt_store, people
from pidgr.identity.code_texts import code_text
from pidgr.identity.one_time_codes import LIFETIME
from pidgr.identity.sign_in_method import OTP
from pidgr.outreach.mail import Mail, Mailer, MailRefusedError
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction

_TASK: Final = "mail-sign-in-code"
_PURPOSE: Final = "sign-in-code"

log = structlog.get_logger("pidgr.identity")


class CodeMail:
    """The outbox of codes: tasks name the attempt, the code lies sealed in the attempt's row."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        master_key: MasterKey,
        mailer: Mailer,
        clock: Clock,
    ) -> None:
        self._database = database
        self._engine = engine
        self._master_key = master_key
        self._mailer = mailer
        self._clock = clock

    def register(self) -> None:
        """Give the engine its handler."""
        self._engine.register(_TASK, self.send)

    def seal(self, code: str) -> bytes:
        """Return the form in which a code waits for its mail."""
        return self._master_key.seal(_PURPOSE, code.encode())

    def enqueue(self, transaction: Transaction, attempt_key: int) -> None:
        """Have an attempt's code sent once the transaction has committed."""
        self._engine.enqueue(
            transaction,
            Task(_TASK, f"{_TASK}/{attempt_key}", (attempt_key,), queue=Queue.CALLS),
        )

    def send(self, attempt_key: int) -> None:
        """Send an attempt's code, unless nobody has the address or the code is no use any more.

        Raises:
            UnavailableError: the mail server asks to try again.
        """
        mail = self._database.read_now(lambda reader: self._mail(reader, attempt_key))
        if mail is not None:
            try:
                self._mailer.send(mail)
            except MailRefusedError as error:
                problem = str(error)
                log.error(  # noqa: TRY400 - the sentence says it all
                    "a sign-in code was not mailed", attempt=attempt_key, problem=problem
                )
        self._database.write_now(
            lambda transaction: attempt_store.forget_code(transaction, attempt_key)
        )

    def _mail(self, reader: Reader, attempt_key: int) -> Mail | None:
        waiting = attempt_store.outgoing(reader, attempt_key)
        if waiting is None:
            return None
        now = self._clock.now()
        opened = people.welcome(reader, waiting.email_folded, OTP, now)
        if opened is None:
            return None
        if waiting.expires_at <= now:
            log.warning("a sign-in code expired before its mail was sent", attempt=attempt_key)
            return None
        address, locale = waiting.email_folded, ""
        if opened:
            address = opened[0].email
            locale = opened[0].preferred_locale or opened[0].default_locale
        code = self._master_key.unseal(_PURPOSE, waiting.sealed_code).decode()
        subject, text = code_text(locale, code, LIFETIME // MINUTE)
        return Mail(address, subject, text, message_id=f"sign-in-{attempt_key}")
