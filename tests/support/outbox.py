"""A mailer that keeps what it is given."""

from collections.abc import Sequence

from pidgr.errors import UnavailableError
from pidgr.outreach.departure import Departure, NotStartedError
from pidgr.outreach.mail import Mail, MailAnswer, MailOutcome, Posted


class Outbox:
    """Keeps every mail; refuses to while ``away`` is set."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.away = False

    def send(self, mail: Mail) -> None:
        if self.away:
            raise UnavailableError("the mail server is away")
        self.sent.append(mail)

    def send_many(self, mails: Sequence[Mail], departure: Departure) -> Posted:
        if self.away:
            return Posted([], UnavailableError("the mail server is away"))
        answers: list[MailAnswer] = []
        for mail in mails:
            try:
                with departure.start():
                    self.sent.append(mail)
            except NotStartedError:
                break
            answers.append(MailAnswer(MailOutcome.TAKEN))
        return Posted(answers)
