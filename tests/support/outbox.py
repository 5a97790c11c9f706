"""A mailer that keeps what it is given."""

from pidgr.errors import UnavailableError
from pidgr.outreach.mail import Mail


class Outbox:
    """Keeps every mail; refuses to while ``away`` is set."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.away = False

    def send(self, mail: Mail) -> None:
        if self.away:
            raise UnavailableError("the mail server is away")
        self.sent.append(mail)
