"""A real SMTP server of the test's own."""

import asyncio
import email
import email.policy
import threading
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope


class Peer:
    """Keeps what it is sent, or answers as the test says."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.refused = 0
        self.answer = "250 taken"
        self.answer_to_recipient = "250 fine"
        # By address, for those who get another answer than the rest.
        self.answers: dict[str, str] = {}
        self.sessions: list[Any] = []
        # Until they may go, mails are in its hand: neither taken nor refused.
        self.in_hand = 0
        self.may_go = threading.Event()
        self.may_go.set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if session not in self.sessions:
            self.sessions.append(session)
        answer = self.answers.get(address, self.answer_to_recipient)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Envelope
    ) -> str:
        self.in_hand += 1
        await asyncio.to_thread(self.may_go.wait)
        self.in_hand -= 1
        if self.answer.startswith("250"):
            self.envelopes.append(envelope)
        else:
            self.refused += 1
        return self.answer

    def codes_to(self, address: str) -> list[str]:
        """Return the texts of the mails with a code to an address."""
        return [
            self.text_of(envelope)
            for envelope in self.envelopes
            if envelope.rcpt_tos == [address]
            and str(_message(envelope)["Message-ID"]).startswith("<sign-in-")
        ]

    def recipients(self) -> list[str]:
        """Return to whom the mails went, in order."""
        return [address for envelope in self.envelopes for address in envelope.rcpt_tos]

    def messages(self) -> list[EmailMessage]:
        """Return every mail, in order."""
        return [_message(envelope) for envelope in self.envelopes]

    def message(self) -> EmailMessage:
        (envelope,) = self.envelopes
        return _message(envelope)

    def text(self) -> str:
        (envelope,) = self.envelopes
        return self.text_of(envelope)

    def text_of(self, envelope: Envelope) -> str:
        """A message's text, as people write line ends."""
        return str(_message(envelope).get_content()).replace("\r\n", "\n")


def _message(envelope: Envelope) -> EmailMessage:
    assert isinstance(envelope.content, bytes)
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


class FreePortController(Controller):
    """Listens on a port the system picks; the library's own looks itself up at port 0."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


class MailServer:
    """Listens while the ``with`` block runs; plain unless the settings say otherwise."""

    def __init__(self, peer: Peer, **settings: Any) -> None:
        self.controller = FreePortController(peer, hostname="127.0.0.1", port=0, **settings)

    def __enter__(self) -> Self:
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.stop()

    def url(self, scheme: str = "smtp", user: str = "", query: str = "") -> str:
        return f"{scheme}://{user}localhost:{self.controller.port}{query}"
