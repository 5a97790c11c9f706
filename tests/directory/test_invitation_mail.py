"""Invitations by mail: who gets one, what it says, and what happens when it cannot leave."""

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from support.calls import Calls
from support.grpc_client import Client, compiled_stubs
from support.mail_server import MailServer, Peer
from support.organization import Tenant
from support.running import running
from support.waiting import until

from pidgr.clock import DAY
from pidgr.contract.v1.member_pb import (
    BulkInviteUsersRequest,
    DeactivateUserRequest,
    InviteUserRequest,
    ReactivateUserRequest,
    RevokeInviteRequest,
)
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory.invitation_mail import InvitationMail
from pidgr.directory.invitation_texts import invitation_text
from pidgr.directory.member_import import import_members
from pidgr.engine.port import ProgressError, TaskStatus
from pidgr.errors import AlreadyExistsError, InvalidArgumentError, UnavailableError
from pidgr.outreach.departure import Departure
from pidgr.outreach.mail import Mail, MailAnswer, MailOutcome, MailRefusedError
from pidgr.outreach.smtp import SmtpMailer
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.validation import LOCALES, is_email

BATCHES = Statement("select distinct batch from invitation_mail")
SET_LOCALE = Statement("update member set preferred_locale = :locale where email = :email")


class Office(Calls):
    """The member service of Acme, with its outbox."""

    def __init__(self, acme: Tenant) -> None:
        super().__init__(acme, acme.installation.member_service)
        self.installation = acme.installation
        self.outbox, self.mail = acme.installation.outbox, acme.installation.invitation_mail

    def invite(self, email: str, **fields: Any) -> str:
        return str(self("invite_user", InviteUserRequest(email=email, **fields)).user.id)

    def batches(self) -> list[str]:
        return [batch for (batch,) in self.installation.read(lambda unit: unit.rows(BATCHES))]

    def post(self) -> list[Mail]:
        """Do what the engine does with the waiting tasks; return the new mail."""
        before = len(self.outbox.sent)
        for batch in self.batches():
            assert self.installation.engine.status(f"mail-invitations/{batch}") is TaskStatus.QUEUED
            self.mail.send(batch)
        assert self.batches() == []
        return self.outbox.sent[before:]

    def waiting(self) -> int:
        count = Statement("select count(*) from invitation_mail")
        return int(self.installation.read(lambda unit: unit.value(count)))


@pytest.fixture
def office(acme: Tenant) -> Office:
    return Office(acme)


def test_whoever_is_invited_is_mailed_once(office: Office) -> None:
    user_id = office.invite("Eve@Example.com", name="Eve")
    (batch,) = office.batches()
    (mail,) = office.post()
    assert mail.recipient == "Eve@Example.com"
    assert mail.subject == "Acme invites you"
    assert mail.text.startswith("Hello Eve,\n")
    assert "Eve@Example.com:\nhttps://pidgr.example/inbox\n" in mail.text
    assert user_id not in mail.text
    # The engine may run a task again.
    office.mail.send(batch)
    assert len(office.outbox.sent) == 1


def test_an_invitation_that_fails_mails_nobody(office: Office) -> None:
    office.invite("eve@example.com")
    office.post()
    with pytest.raises(AlreadyExistsError):
        office.invite("EVE@example.com")
    assert office.batches() == []


def test_many_are_mailed_by_one_task_and_only_those_who_are_new(office: Office) -> None:
    office.invite("eve@example.com")
    office.post()
    emails = ["bob@example.com", "eve@example.com", "no address", "dan@example.com"]
    office("bulk_invite_users", BulkInviteUsersRequest(emails=emails))
    assert len(office.batches()) == 1
    mails = office.post()
    assert [mail.recipient for mail in mails] == ["bob@example.com", "dan@example.com"]
    assert mails[0].message_id != mails[1].message_id


def test_nobody_new_is_no_task(office: Office) -> None:
    office.invite("eve@example.com")
    office.post()
    office("bulk_invite_users", BulkInviteUsersRequest(emails=["eve@example.com"]))
    assert office.batches() == []


def test_who_comes_back_is_invited_by_mail_again(office: Office) -> None:
    eve = office.tenant.add_member("eve@example.com").member().id
    office("deactivate_user", DeactivateUserRequest(user_id=eve))
    assert office.batches() == []
    office("reactivate_user", ReactivateUserRequest(user_id=eve))
    assert [mail.recipient for mail in office.post()] == ["eve@example.com"]


def test_being_invited_again_before_the_mail_has_left_makes_one_mail(office: Office) -> None:
    eve = office.invite("eve@example.com")
    first = office.batches()
    office("deactivate_user", DeactivateUserRequest(user_id=eve))
    office("reactivate_user", ReactivateUserRequest(user_id=eve))
    assert office.batches() != first
    office.mail.send(first[0])
    assert office.outbox.sent == []
    assert len(office.post()) == 1


@pytest.mark.parametrize("what", ["taken up", "deactivated", "withdrawn"])
def test_an_invitation_that_stands_no_more_is_not_mailed(office: Office, what: str) -> None:
    eve = office.invite("eve@example.com")
    office.invite("bob@example.com")
    if what == "taken up":
        activate = Statement("update member set status = :active where id = :id")
        parameters = {"active": UserStatus.ACTIVE, "id": eve}
        office.installation.write(lambda unit: unit.execute(activate, parameters))
    elif what == "deactivated":
        office("deactivate_user", DeactivateUserRequest(user_id=eve))
    else:
        office("revoke_invite", RevokeInviteRequest(user_id=eve))
    assert [mail.recipient for mail in office.post()] == ["bob@example.com"]


def test_an_expired_organization_invites_nobody(office: Office) -> None:
    office.invite("eve@example.com")
    expire = Statement("update organization set expires_at = :now")
    parameters = {"now": office.installation.clock.now() + DAY}
    office.installation.write(lambda unit: unit.execute(expire, parameters))
    office.installation.clock.advance(DAY)
    assert office.post() == []


@pytest.mark.parametrize("locale", LOCALES)
def test_everyone_reads_it_in_their_language(office: Office, locale: str) -> None:
    office.invite("eve@example.com", name="Eve")
    office.installation.write(
        lambda unit: unit.execute(SET_LOCALE, {"locale": locale, "email": "eve@example.com"})
    )
    (mail,) = office.post()
    expected = invitation_text(
        locale, "Eve", "Acme", "eve@example.com", "https://pidgr.example/inbox"
    )
    assert (mail.subject, mail.text) == expected


def test_the_five_languages_are_five_texts() -> None:
    texts = [
        invitation_text(locale, "Eve", "Acme", "e@x.example", "https://x") for locale in LOCALES
    ]
    assert len(set(texts)) == 5
    for subject, text in texts:
        assert "Acme" in subject
        assert text.count("Acme") == 2
        assert all(part in text for part in ("Eve", "e@x.example", "https://x"))
    assert invitation_text("", "", "Acme", "e@x.example", "https://x")[1].startswith("Hello,\n")


def test_the_organization_s_language_is_the_next_choice(office: Office) -> None:
    change = Statement("update organization set default_locale = 'ja'")
    office.installation.write(lambda unit: unit.execute(change))
    office.invite("eve@example.com")
    (mail,) = office.post()
    assert mail.subject == "Acme からの招待"


def test_a_mail_server_that_is_away_gets_the_rest_later(office: Office) -> None:
    emails = [f"person{number}@example.com" for number in range(3)]
    office("bulk_invite_users", BulkInviteUsersRequest(emails=emails))
    (batch,) = office.batches()
    office.outbox.away = True
    with pytest.raises(UnavailableError):
        office.mail.send(batch)
    assert office.waiting() == 3
    office.outbox.away = False
    taken = office.outbox.send

    def take_one(mail: Mail) -> None:
        office.outbox.away = bool(office.outbox.sent)
        taken(mail)

    office.outbox.send = take_one  # type: ignore[method-assign]
    # Having got further than before, the engine begins its pauses anew.
    with pytest.raises(ProgressError):
        office.mail.send(batch)
    assert office.waiting() == 2
    office.outbox.send = taken  # type: ignore[method-assign]
    office.outbox.away = False
    office.post()
    assert sorted(mail.recipient for mail in office.outbox.sent) == emails


class Refusing:
    def send(self, mail: Mail) -> None:
        raise MailRefusedError(f"no such mailbox: {mail.message_id}")


def test_an_address_that_is_refused_for_good_does_not_stop_the_others(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = office.installation
    user_id = office.invite("eve@example.com")
    (batch,) = office.batches()
    refusing = InvitationMail(
        installation.database, installation.engine, Refusing(), installation.clock, "https://x"
    )
    refusing.send(batch)
    assert office.batches() == []
    told = capsys.readouterr().out
    assert user_id in told
    # Addresses are not for logs.
    assert "eve@example.com" not in told


@pytest.mark.parametrize("strange", [*'()<>[]:;,\\"\x01\x7f\u200b\u202e\ufeff', "=?utf-8?q??="])
def test_what_headers_of_mail_mean_something_by_is_no_address(office: Office, strange: str) -> None:
    """One such address would keep the mail of those invited with it from leaving."""
    for place in ("{}eve@example.com", "e{}ve@example.com", "eve@exam{}ple.com", "{}@example.com"):
        with pytest.raises(InvalidArgumentError):
            office.invite(place.format(strange))


def test_every_address_that_is_taken_can_be_mailed() -> None:
    drawn = random.Random(2822)
    parts = [*"ab.-_'+!#$%&*/=?^`{|}~()<>[]:;,\\\"éß漢\u200d", "=?", "?=", "..", "utf-8"]
    addresses = {f"{''.join(drawn.choices(parts, k=6))}@example.com" for _ in range(3_000)}
    mails = [
        Mail(one, "Hello", "You", message_id="1") for one in sorted(addresses) if is_email(one)
    ]
    assert len(mails) > 100
    with MailServer(Peer()) as server:
        mailer = SmtpMailer(server.url(query="?starttls=off"), "Pidgr <no-reply@example.com>")
        posted = mailer.send_many(mails, Departure())
    assert posted.answers == [MailAnswer(MailOutcome.TAKEN)] * len(mails)


@pytest.mark.parametrize(
    "unusual", ["o'hara+news@example.com", "élan@bücher.example", "!#$%&*/?=^_`{|}~-.@a-b.example"]
)
def test_unusual_addresses_are_mailed(office: Office, unusual: str) -> None:
    office.invite(unusual)
    assert [mail.recipient for mail in office.post()] == [unusual]


def test_without_a_mail_server_people_are_invited_all_the_same(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = office.installation
    silent = InvitationMail(
        installation.database, installation.engine, None, installation.clock, "https://x"
    )
    assert not silent.enabled
    installation.write(lambda unit: silent.enqueue(unit, office.tenant.key, ["id"]))
    assert office.batches() == []
    assert "has to be told" in capsys.readouterr().out


def run_import(office: Office, *emails: str, send: bool) -> None:
    lines = io.StringIO("\n".join(["email", *emails]), newline="")
    import_members(
        office.installation.database,
        office.installation.clock,
        office.tenant.id,
        lines,
        invitation_mail=office.mail if send else None,
    )


def test_an_import_mails_nobody_unless_asked(office: Office) -> None:
    run_import(office, "eve@example.com", send=False)
    assert office.post() == []
    run_import(office, "eve@example.com", "bob@example.com", "bad", send=True)
    assert [mail.recipient for mail in office.post()] == ["bob@example.com"]


def test_a_name_of_two_lines_stays_in_its_header(office: Office) -> None:
    peer = Peer()
    rename = Statement("update organization set name = :name")
    name = "Acme\r\nBcc: mallory@example.com"
    office.installation.write(lambda unit: unit.execute(rename, {"name": name}))
    office.invite("eve@example.com")
    (batch,) = office.batches()
    with MailServer(peer) as server:
        mailer = SmtpMailer(server.url(query="?starttls=off"), "Pidgr <no-reply@example.com>")
        installation = office.installation
        InvitationMail(
            installation.database, installation.engine, mailer, installation.clock, "https://x"
        ).send(batch)
    assert peer.envelopes[0].rcpt_tos == ["eve@example.com"]
    assert peer.message()["Subject"] == "Acme Bcc: mallory@example.com invites you"
    assert peer.message()["Bcc"] is None


@pytest.fixture
def peer() -> Iterator[tuple[Peer, MailServer]]:
    peer = Peer()
    with MailServer(peer) as server:
        yield peer, server


def test_over_the_wire_the_mail_arrives(
    migrated_database: Database, peer: tuple[Peer, MailServer], tmp_path: Path
) -> None:
    mailbox, server = peer
    settings: dict[str, Any] = {
        "database_url": migrated_database.url.render_as_string(hide_password=False),
        "smtp_url": server.url(query="?starttls=off"),
        "mail_from": "no-reply@example.com",
        "sign_in_url": "https://messages.example.com",
    }
    with (
        running(tmp_path, **settings) as installation,
        grpc.insecure_channel(installation.address) as channel,
    ):
        client = Client(channel, compiled_stubs())
        organization = installation.found("Example Works")
        mailbox.answer = "451 come back later"
        client("MemberService/InviteUser", organization.api_key, email="eve@example.com")
        until(lambda: mailbox.refused)
        mailbox.answer = "250 taken"
        until(lambda: mailbox.envelopes)
        emails = [f"person{number}@example.com" for number in range(5)]
        client("MemberService/BulkInviteUsers", organization.api_key, emails=emails)
        until(lambda: len(mailbox.envelopes) == 6)
    assert mailbox.envelopes[0].rcpt_tos == ["eve@example.com"]
    assert "https://messages.example.com" in mailbox.text_of(mailbox.envelopes[0])
    assert [envelope.rcpt_tos for envelope in mailbox.envelopes[1:]] == [[one] for one in emails]
