"""Mail over the wire: a real SMTP peer, with and without TLS, that takes, defers and refuses."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword
from support.mail_server import MailServer, Peer

from pidgr.errors import SetupError, UnavailableError
from pidgr.outreach.departure import Departure
from pidgr.outreach.mail import (
    ConsoleMailer,
    Mail,
    MailAnswer,
    MailOutcome,
    MailRefusedError,
    MissingMailer,
)
from pidgr.outreach.smtp import SmtpMailer

MAIL = Mail("ada@example.com", "サインイン用コード", "Il codice è 123456.\n", "sign-in-7")
SENDER = "Pidgr <no-reply@example.com>"


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def plain(peer: Peer) -> Iterator[MailServer]:
    with MailServer(peer) as server:
        yield server


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's TLS, under an authority this process trusts."""
    authority = trustme.CA()
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def test_a_message_arrives_as_it_was_meant(plain: MailServer, peer: Peer) -> None:
    SmtpMailer(plain.url(query="?starttls=off"), SENDER).send(MAIL)
    message = peer.message()
    assert peer.envelopes[0].mail_from == "no-reply@example.com"
    assert peer.envelopes[0].rcpt_tos == ["ada@example.com"]
    assert message["From"] == SENDER
    assert message["To"] == "ada@example.com"
    assert message["Subject"] == MAIL.subject
    assert message["Message-ID"] == "<sign-in-7@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"]
    assert message.get_content_type() == "text/plain"
    assert peer.text() == MAIL.text


def test_starttls_is_used_and_credentials_travel_inside(
    certified: ssl.SSLContext, peer: Peer
) -> None:
    seen = []

    def check(_server: Any, session: Any, _envelope: Any, _how: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        seen.append((session.ssl is not None, given.login, given.password))
        return AuthResult(success=True)

    with MailServer(peer, tls_context=certified, authenticator=check, auth_required=True) as server:
        SmtpMailer(server.url(user="pid%40gr:p%3Ass@"), SENDER).send(MAIL)
    assert seen == [(True, b"pid@gr", b"p:ss")]
    assert peer.text() == MAIL.text


def test_tls_from_the_first_byte(certified: ssl.SSLContext, peer: Peer) -> None:
    with MailServer(peer, ssl_context=certified) as server:
        SmtpMailer(server.url("smtps"), SENDER).send(MAIL)
    assert peer.text() == MAIL.text


def test_a_server_that_offers_no_starttls_gets_nothing(plain: MailServer, peer: Peer) -> None:
    with pytest.raises(MailRefusedError, match="STARTTLS"):
        SmtpMailer(plain.url(user="user:secret@"), SENDER).send(MAIL)
    assert not peer.envelopes


def test_a_certificate_nobody_vouches_for_gets_nothing(
    certified: ssl.SSLContext, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        MailServer(peer, tls_context=certified) as server,
        pytest.raises(UnavailableError, match="certificate"),
    ):
        SmtpMailer(server.url(), SENDER).send(MAIL)
    assert not peer.envelopes


@pytest.mark.parametrize("field", ["answer", "answer_to_recipient"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("451 come back later, ada@example.com", UnavailableError),
        ("550 no such mailbox: ada@example.com", MailRefusedError),
    ],
)
def test_a_refusal_is_final_or_not_as_the_server_says(
    plain: MailServer, peer: Peer, field: str, answer: str, error: type[Exception]
) -> None:
    setattr(peer, field, answer)
    mailer = SmtpMailer(plain.url(query="?starttls=off"), SENDER)
    # The code alone: what else a server says often names the person.
    with pytest.raises(error, match=f"^the mail server answered {answer[:3]}$"):
        mailer.send(MAIL)
    setattr(peer, field, "250 now")
    mailer.send(MAIL)
    assert len(peer.envelopes) == 1


def many(*names: str) -> list[Mail]:
    return [Mail(f"{name}@example.com", "Hello", "Hello.\n", f"hello-{name}") for name in names]


def test_many_messages_take_one_connection_and_each_gets_its_answer(
    plain: MailServer, peer: Peer
) -> None:
    peer.answers = {
        "bob@example.com": "550 5.1.1 no bob@example.com here",
        "cy@example.com": "450 4.2.1 cy@example.com is busy",
    }
    mailer = SmtpMailer(plain.url(query="?starttls=off"), SENDER)
    posted = mailer.send_many(many("ada", "bob", "cy", "dan"), Departure())
    assert posted.outage is None
    assert posted.answers == [
        MailAnswer(MailOutcome.TAKEN),
        MailAnswer(MailOutcome.REFUSED, "550 5.1.1"),
        MailAnswer(MailOutcome.LATER, "450 4.2.1"),
        MailAnswer(MailOutcome.TAKEN),
    ]
    assert peer.recipients() == ["ada@example.com", "dan@example.com"]
    assert len(peer.sessions) == 1


def test_a_server_that_closes_leaves_the_rest_for_later(plain: MailServer, peer: Peer) -> None:
    peer.answers = {"bob@example.com": "421 4.3.2 closing, bob@example.com"}
    mailer = SmtpMailer(plain.url(query="?starttls=off"), SENDER)
    posted = mailer.send_many(many("ada", "bob", "cy"), Departure())
    assert posted.answers == [MailAnswer(MailOutcome.TAKEN)]
    assert posted.outage is not None
    assert "421 4.3.2" in posted.outage.message
    assert "bob" not in posted.outage.message
    assert peer.recipients() == ["ada@example.com"]


def test_an_address_beyond_ascii_is_refused_where_the_server_takes_none(peer: Peer) -> None:
    with MailServer(peer, enable_SMTPUTF8=False) as server:
        mailer = SmtpMailer(server.url(query="?starttls=off"), SENDER)
        posted = mailer.send_many(many("zoë", "ada"), Departure())
    assert [answer.outcome for answer in posted.answers] == [
        MailOutcome.REFUSED,
        MailOutcome.TAKEN,
    ]


def test_wrong_credentials_are_tried_again_once_the_operator_may_have_mended_them(
    certified: ssl.SSLContext, peer: Peer
) -> None:
    def check(*_: Any) -> AuthResult:
        return AuthResult(success=False, handled=False)

    with (
        MailServer(peer, tls_context=certified, authenticator=check) as server,
        pytest.raises(UnavailableError, match="user name and password"),
    ):
        SmtpMailer(server.url(user="pidgr:wrong@"), SENDER).send(MAIL)


def test_a_server_that_is_away_is_no_refusal() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(UnavailableError):
        SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER).send(MAIL)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://h:port",
        "smtp://h?starttls=1",
    ],
)
def test_a_url_that_cannot_work_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(SetupError, match="PIDGR_SMTP_URL"):
        SmtpMailer(url, SENDER)


@pytest.mark.parametrize("sender", ["", "Pidgr", "no-reply"])
def test_a_sender_that_cannot_work_is_refused_at_the_start(sender: str) -> None:
    with pytest.raises(SetupError, match="PIDGR_MAIL_FROM"):
        SmtpMailer("smtp://localhost", sender)


def test_development_shows_mail_on_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    ConsoleMailer().send(MAIL)
    shown = capsys.readouterr().out
    assert "123456" in shown
    assert "ada@example.com" in shown


def test_without_a_mail_server_the_operator_is_told_what_to_set() -> None:
    with pytest.raises(MailRefusedError, match="PIDGR_SMTP_URL"):
        MissingMailer().send(MAIL)
