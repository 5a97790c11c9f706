"""Tokens in links: what was signed reads back, and nothing else is genuine."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from pidgr.campaigns.deeplink_tokens import OVERLAP, DeeplinkTokens, is_retired, read_token
from pidgr.campaigns.link_store import LinkKey
from pidgr.secrets import MasterKey

TOKENS = DeeplinkTokens(MasterKey("a master key for tests, long enough"))
OTHERS = DeeplinkTokens(MasterKey("another key for tests, long enough"))
UUIDS = st.uuids().map(str)
ORGANIZATION = str(uuid.uuid4())


@given(
    campaign=UUIDS,
    recipient=UUIDS,
    kind=st.integers(0, 255),
    expires_at=st.integers(0, 2**63 - 1),
    version=st.integers(1, 2**31),
)
def test_what_was_signed_reads_back_and_is_genuine_for_its_organization_alone(
    campaign: str, recipient: str, kind: int, expires_at: int, version: int
) -> None:
    text = TOKENS.sign(
        ORGANIZATION,
        LinkKey(version, 0),
        campaign_id=campaign,
        recipient_id=recipient,
        step_kind=kind,
        expires_at=expires_at,
    )
    token = read_token(text)
    assert token is not None
    assert token[:5] == (campaign, recipient, kind, expires_at, version)
    assert TOKENS.is_genuine(ORGANIZATION, token)
    assert not TOKENS.is_genuine(str(uuid.uuid4()), token)
    assert not OTHERS.is_genuine(ORGANIZATION, token)


@given(place=st.integers(0, 82), other=st.sampled_from("AZaz09-_="))
def test_no_character_can_be_changed(place: int, other: str) -> None:
    text = TOKENS.sign(
        ORGANIZATION,
        LinkKey(1, 0),
        campaign_id=ORGANIZATION,
        recipient_id=ORGANIZATION,
        step_kind=1,
        expires_at=1_767_225_600_000_000,
    )
    assert len(text) == 83
    changed = text[:place] + other + text[place + 1 :]
    if changed != text:
        token = read_token(changed)
        assert token is None or not TOKENS.is_genuine(ORGANIZATION, token)


@given(text=st.text(max_size=200))
def test_any_other_text_is_no_token(text: str) -> None:
    assert read_token(text) is None


def test_a_key_is_good_until_it_is_replaced_and_seven_days_more() -> None:
    replaced = LinkKey(version=2, rotated_at=1_000)
    assert not is_retired(2, replaced, 1_000 + 2 * OVERLAP)
    assert not is_retired(1, replaced, 1_000 + OVERLAP - 1)
    assert is_retired(1, replaced, 1_000 + OVERLAP)
    again = LinkKey(version=3, rotated_at=1_001)
    assert is_retired(1, again, 1_001)
    assert is_retired(4, again, 1_001)
