"""Sends invitations by mail, as tasks of the durable engine.

A task sends the mail of all who were invited together. Who was invited lies in rows that commit
with the members; a row goes when the mail server has taken the mail, or will never take it. A crash
between the two repeats one mail, under the same Message-ID.
"""

import uuid
from collections.abc import Sequence
from typing import Final

import structlog

from pidgr.clock import Clock
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import invitation_store
from pidgr.directory.invitation_store import WaitingInvitation
from pidgr.directory.invitation_texts import invitation_text
from pidgr.engine.port import Engine, ProgressError, Queue, Task
from pidgr.errors import UnavailableError
from pidgr.outreach.mail import Mail, Mailer, MailRefusedError
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

_TASK: Final = "mail-invitations"

log = structlog.get_logger("pidgr.directory")


class InvitationMail:
    """The outbox of invitations.

    Args:
        database: where they wait.
        engine: what sends them.
        mailer: how; None where this server sends no mail, which only the log tells.
        clock: tells what has expired.
        url: where the mail sends people to sign in.
    """

    def __init__(
        self, database: Database, engine: Engine, mailer: Mailer | None, clock: Clock, url: str
    ) -> None:
        self._database = database
        self._engine = engine
        self._mailer = mailer
        self._clock = clock
        self._url = url

    @property
    def enabled(self) -> bool:
        """Whether this server sends mail at all."""
        return self._mailer is not None

    def register(self) -> None:
        """Give the engine its handler."""
        self._engine.register(_TASK, self.send)

    def enqueue(
        self, transaction: Transaction, organization_key: int, member_ids: Sequence[str]
    ) -> None:
        """Have invitations mailed once the transaction has committed."""
        if not member_ids:
            return
        if self._mailer is None:
            log.warning(
                "no mail server is configured, so whoever was invited has to be told",
                invitations=len(member_ids),
            )
            return
        batch = str(uuid.uuid4())
        now = self._clock.now()
        invitation_store.insert_invitations(transaction, organization_key, member_ids, batch, now)
        task = Task(_TASK, f"{_TASK}/{batch}", (batch,), queue=Queue.CALLS)
        self._engine.enqueue(transaction, task)

    def send(self, batch: str) -> None:
        """Send the mail of a batch that has not left yet.

        Raises:
            UnavailableError: the mail server asks to try again.
        """
        sent = 0
        while waiting := self._next(batch):
            self._engine.checkpoint()
            if self._is_wanted(waiting):
                try:
                    self._send(waiting, batch)
                except UnavailableError as error:
                    if sent:
                        raise ProgressError(error.message) from error
                    raise
            self._forget(waiting.member_key, batch)
            sent += 1

    def _next(self, batch: str) -> WaitingInvitation | None:
        return self._database.read_now(
            lambda reader: invitation_store.next_invitation(reader, batch)
        )

    def _forget(self, member_key: int, batch: str) -> None:
        self._database.write_now(
            lambda transaction: invitation_store.forget_invitation(transaction, member_key, batch)
        )

    def _is_wanted(self, waiting: WaitingInvitation) -> bool:
        """Tell whether the invitation still stands: not taken up, not withdrawn, not expired."""
        expired = waiting.expires_at is not None and waiting.expires_at <= self._clock.now()
        return waiting.status == UserStatus.INVITED and not expired

    def _send(self, waiting: WaitingInvitation, batch: str) -> None:
        if self._mailer is None:
            log.error("an invitation was not mailed: no mail server", member=waiting.member_id)
            return
        locale = waiting.preferred_locale or waiting.default_locale
        subject, text = invitation_text(
            locale, waiting.name, waiting.organization_name, waiting.email, self._url
        )
        message_id = f"invitation-{batch}-{waiting.member_key}"
        try:
            self._mailer.send(Mail(waiting.email, subject, text, message_id=message_id))
        except MailRefusedError as error:
            problem = str(error)
            log.error(  # noqa: TRY400 - the sentence says it all
                "an invitation was not mailed", member=waiting.member_id, problem=problem
            )
