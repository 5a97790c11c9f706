"""Nudges by e-mail, a batch over one connection."""

from collections.abc import Mapping, Sequence
from typing import Final

from pidgr.errors import UnavailableError
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure
from pidgr.outreach.mail import BulkMailer, Mail, MailOutcome, MailRefusedError

_OUTCOMES: Final[Mapping[MailOutcome, NudgeOutcome]] = {
    MailOutcome.TAKEN: NudgeOutcome.SENT,
    MailOutcome.LATER: NudgeOutcome.LATER,
    MailOutcome.REFUSED: NudgeOutcome.REFUSED,
}


class EmailChannel:
    """Sends each nudge as a mail of its own; its Message-ID is the same at every attempt."""

    def __init__(self, mailer: BulkMailer) -> None:
        self._mailer = mailer

    def send(self, nudges: Sequence[Nudge], departure: Departure) -> Handed:
        """Send a batch."""
        mails = [
            Mail(nudge.email, nudge.subject, f"{nudge.text}\n", message_id=nudge.key)
            for nudge in nudges
        ]
        try:
            posted = self._mailer.send_many(mails, departure)
        except MailRefusedError as error:
            # Of this server, not of a mailbox: it is mended, and the nudges wait for that.
            return Handed([], UnavailableError(str(error)))
        answers = [NudgeAnswer(_OUTCOMES[answer.outcome], answer.code) for answer in posted.answers]
        return Handed(answers, posted.outage)
