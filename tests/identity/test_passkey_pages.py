"""The sign-in page and the page of a person's passkeys, as far as no browser is needed for it."""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from html import unescape

import httpx
import pytest
from support.authenticator import Authenticator
from support.forms import form_with, submit
from support.passkey_holder import APP, PASSKEY, SITE, PasskeyHolder, options_in
from support.running import Installation, running

from pidgr.clock import HOUR, MINUTE, SECOND, ManualClock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.identity.proof import Proof
from pidgr.identity.sign_in_method import OTP
from pidgr.rpc.html_pages import SealedFields
from pidgr.rpc.sign_in_steps import sealable
from pidgr.storage.sql import Statement

LANGUAGES = ("en", "es", "pt-BR", "zh", "ja")
ADDRESS = 'name="email"'
EVENTS = Statement("""
    select o.id, e.actor_id, e.entity_id from audit_event e
    join organization o on o.key = e.organization_key
    where e.event_type = :type and e.entity_id in (:one, :two)
""")


def keys_in(page: httpx.Response) -> list[str]:
    assert page.status_code == 200, page.text
    return [unescape(name) for name in re.findall(r"<li><strong>(.*?)</strong>", page.text)]


def refused(page: httpx.Response) -> bool:
    return page.status_code == 200 and '<p class="error" role="alert">' in page.text


def test_a_person_signs_in_by_passkey_adds_one_and_takes_one_away(holder: PasskeyHolder) -> None:
    listed = holder.sign_in()
    assert keys_in(listed) == ["<Phone>"]
    assert "<strong>&lt;Phone&gt;</strong>, last used <time datetime=" in listed.text
    form = holder.new_form(listed)
    added = holder.enrol(form, Authenticator(SITE), "Laptop")
    assert keys_in(added) == ["<Phone>", "Laptop"]
    assert "never used" in added.text
    left = submit(holder.http, added, f'value="{holder.passkey_id}"', revoke=holder.passkey_id)
    assert keys_in(left) == ["Laptop"]
    assert refused(holder.sign_in())


def test_every_organization_that_takes_the_person_is_told(
    holder: PasskeyHolder, site: Installation
) -> None:
    other = site.found()
    email = site.system.signer.verify(site.token(holder.organization.admin_id)).email
    invited = holder.http.post(
        "/pidgr.v1.MemberService/InviteUser",
        json={"email": email},
        headers={"authorization": f"Bearer {other.api_key}"},
    ).json()["user"]["id"]
    form = holder.new_form(holder.sign_in())
    assert len(keys_in(holder.enrol(form, Authenticator(SITE), ""))) == 2
    members = {holder.organization.id: holder.organization.admin_id, other.id: invited}
    parameters = {
        "type": int(AuditEventType.PASSKEY_ENROLLED),
        "one": holder.organization.admin_id,
        "two": invited,
    }
    database = site.system.database
    told = database.read_now(lambda reader: reader.rows(EVENTS, parameters))
    assert sorted(told) == sorted((key, member, member) for key, member in members.items())


def test_where_codes_are_refused_a_code_shows_no_passkeys_once_there_is_one(
    holder: PasskeyHolder, site: Installation
) -> None:
    headers = {"authorization": f"Bearer {holder.organization.api_key}"}
    refusing = {"otp_disabled": True}
    assert holder.http.post("/auth/policy", json=refusing, headers=headers).status_code == 200
    subject = site.system.signer.verify(site.token(holder.organization.admin_id)).subject
    # Somebody invites the address where codes count, and reads its mail.
    by_code = Proof(subject, OTP, site.system.clock.now())
    steps = SealedFields(site.system.master_key, "passkey-page", site.system.clock)
    seal = steps.text(sealable(by_code))
    for fields in ({}, {"revoke": holder.passkey_id}):
        refused_page = holder.http.post("/passkeys", data={"seal": seal, **fields})
        assert refused(refused_page)
        assert "accepts no codes" in refused_page.text
        assert ADDRESS in refused_page.text
    assert keys_in(holder.sign_in()) == ["<Phone>"]


def test_nobody_sees_or_removes_another_person_s_passkey(
    holder: PasskeyHolder, site: Installation
) -> None:
    stranger = PasskeyHolder(site)
    listed = stranger.sign_in()
    # Nor is one that is there told from one that is not.
    texts = [
        re.sub(r'value="[^"]*"', "", submit(stranger.http, listed, "revoke", revoke=key).text)
        for key in (holder.passkey_id, "00000000-0000-0000-0000-000000000000")
    ]
    assert texts[0] == texts[1]
    assert holder.passkey_id not in listed.text
    assert keys_in(holder.sign_in()) == ["<Phone>"]
    form = stranger.new_form(listed)
    theirs = submit(
        holder.http,
        holder.new_form(holder.sign_in()),
        PASSKEY,
        credential=json.dumps(Authenticator(SITE).create(options_in(form))),
    )
    assert refused(theirs)
    assert keys_in(theirs) == ["<Phone>"]
    stranger.http.close()


def test_who_has_a_passkey_joins_by_it(holder: PasskeyHolder, site: Installation) -> None:
    other = site.found("Other")
    made = holder.http.post(
        "/pidgr.v1.InviteLinkService/CreateInviteLink",
        json={},
        headers={"authorization": f"Bearer {other.api_key}"},
    ).json()
    link = f"/join/{made['inviteLink']['token']}"
    joined = holder.sign_in(link)
    assert "You are a member of <strong>Other</strong> now." in joined.text
    assert f'href="{APP}"' in joined.text
    assert "already" in holder.sign_in(link).text


@pytest.mark.parametrize(
    "device",
    [Authenticator("https://evil.example"), Authenticator(SITE, verifies=False)],
    ids=["another site", "nobody checked"],
)
def test_a_key_that_proves_nothing_is_not_taken(
    holder: PasskeyHolder, device: Authenticator
) -> None:
    answer = holder.enrol(holder.new_form(holder.sign_in()), device, "Bad")
    assert refused(answer)
    assert keys_in(answer) == ["<Phone>"]


@pytest.mark.parametrize("credential", ["", "[]", "{", "{}", '{"id": 7}', "[" * 5_000])
def test_garbage_for_a_passkey_is_refused(holder: PasskeyHolder, credential: str) -> None:
    begun = holder.http.get("/passkeys")
    assert refused(submit(holder.http, begun, PASSKEY, credential=credential))
    form = holder.new_form(holder.sign_in())
    answer = submit(holder.http, form, PASSKEY, credential=credential)
    assert refused(answer)
    assert keys_in(answer) == ["<Phone>"]


def test_a_device_that_checked_nobody_does_not_sign_in(holder: PasskeyHolder) -> None:
    holder.device.verifies = False
    assert refused(holder.sign_in())
    holder.device.verifies = True
    assert keys_in(holder.sign_in()) == ["<Phone>"]


def test_what_a_sign_in_allows_ends_after_five_minutes(
    holder: PasskeyHolder, clock: ManualClock
) -> None:
    listed = holder.sign_in()
    form = holder.new_form(listed)
    clock.advance(5 * MINUTE - SECOND)
    again = holder.new_form(listed)
    assert options_in(again)
    clock.advance(SECOND)
    # However young the seal is: the sign-in counts.
    for page in (listed, form, again):
        action, hidden = form_with(page)
        late = holder.http.post(action, data={**hidden, "revoke": holder.passkey_id})
        assert refused(late)
        assert ADDRESS in late.text
    assert keys_in(holder.sign_in()) == ["<Phone>"]


def test_a_seal_counts_for_its_own_step_and_ten_minutes(
    holder: PasskeyHolder, clock: ManualClock
) -> None:
    begun, listed = holder.http.get("/passkeys"), holder.sign_in()
    early, signed_in = form_with(begun)[1]["seal"], form_with(listed)[1]["seal"]
    fields = {"revoke": holder.passkey_id}
    for path, seal in (
        ("/passkeys", None),
        ("/passkeys", ""),
        ("/passkeys", "AAAA" * 20),
        ("/passkeys", early),
        ("/oauth/authorize", signed_in),
        ("/sign-in", signed_in),
        ("/sign-in", None),
    ):
        form = fields if seal is None else {**fields, "seal": seal}
        assert holder.http.post(path, data=form).status_code == 400, path
    assert holder.http.post("/sign-in", json={"seal": early}).status_code == 400
    clock.advance(10 * MINUTE)
    assert holder.http.post("/sign-in", data={"seal": early, "email": "x"}).status_code == 400
    assert keys_in(holder.sign_in()) == ["<Phone>"]


def test_no_page_sets_a_cookie_or_runs_what_is_not_a_file_of_ours(holder: PasskeyHolder) -> None:
    begun, listed = holder.http.get("/passkeys"), holder.sign_in()
    for page in (begun, listed, holder.new_form(listed)):
        assert "set-cookie" not in page.headers
        policy = page.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "script-src 'self'; connect-src 'self'; require-trusted-types-for" in policy
        (style,) = re.findall("<style>(.*?)</style>", page.text)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in policy
        assert re.findall(r"<script[^>]*>(.*?)</script>", page.text) == [""]
        assert not re.findall(r' (?:on\w+|style)="', page.text)
        (source,) = re.findall(r'<script [^>]*src="([^"]+)"', page.text)
        script = holder.http.get(source)
        assert script.headers["content-type"].startswith("text/javascript")
        assert script.headers["x-content-type-options"] == "nosniff"
        assert "navigator.credentials" in script.text


def test_known_and_unknown_addresses_are_answered_alike(holder: PasskeyHolder) -> None:
    claims = holder.installation.system.signer.verify(
        holder.installation.token(holder.organization.admin_id)
    )
    texts = set()
    for email in (claims.email, f"{secrets.token_hex(4)}@example.com"):
        page = submit(holder.http, holder.http.get("/passkeys"), ADDRESS, email=email)
        assert 'name="code"' in page.text
        assert email not in page.text
        wrong = submit(holder.http, page, code="000000")
        assert refused(wrong)
        texts.add(re.sub(r'value="[^"]*"', "", page.text + wrong.text))
    assert len(texts) == 1


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c", "a@" + "x" * 300 + ".example"])
def test_what_is_no_address_shows_the_step_again(holder: PasskeyHolder, email: str) -> None:
    page = submit(holder.http, holder.http.get("/passkeys"), ADDRESS, email=email)
    assert refused(page)
    assert ADDRESS in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_step_speaks_the_reader_s_language(holder: PasskeyHolder, language: str) -> None:
    holder.http.headers["accept-language"] = f"{language};q=0.9, en;q=0.5"
    begun, listed = holder.http.get("/passkeys"), holder.sign_in()
    asked = submit(holder.http, begun, ADDRESS, email="nobody@example.com")
    broken = holder.http.post("/passkeys", data={})
    pages = (begun, asked, listed, holder.new_form(listed), broken)
    assert {page.headers["content-language"] for page in pages} == {language}
    assert all(f'<html lang="{language}">' in page.text for page in pages)
    assert len({re.findall("<h1>(.*?)</h1>", page.text)[0] for page in pages}) == 2


def test_programs_find_the_page(holder: PasskeyHolder) -> None:
    found = holder.http.get("/.well-known/passkey-endpoints").json()
    assert found == {"enroll": f"{SITE}/passkeys", "manage": f"{SITE}/passkeys"}


def test_a_person_cannot_have_more_than_twenty(holder: PasskeyHolder) -> None:
    listed = holder.sign_in()
    for _ in range(19):
        listed = holder.enrol(holder.new_form(listed), Authenticator(SITE), "")
    full = holder.new_form(listed)
    assert refused(full)
    assert len(keys_in(full)) == 20


@pytest.fixture
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running(
        tmp_path_factory.mktemp("strict"),
        clock=ManualClock(HOUR),
        issuer="http://192.0.2.1",
        embedded_engine=False,
        sign_in_limit_per_second=0.1,
        sign_in_limit_burst=2,
    ) as installation:
        yield installation


def test_a_client_address_is_limited_and_a_site_without_a_name_offers_no_passkeys(
    strict: Installation,
) -> None:
    with httpx.Client(base_url=strict.url, timeout=60) as browser:
        page = browser.get("/passkeys")
        assert PASSKEY not in page.text
        assert "script" not in page.text
        assert 'name="code"' in submit(browser, page, email="nobody@example.com").text
        for answer in (submit(browser, page, email="x"), browser.get("/passkeys")):
            assert answer.status_code == 429
            assert answer.headers["retry-after"] == "10"
            assert 'role="alert"' in answer.text
