import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidgr.contract.v1.common_pb import Pagination
from pidgr.errors import InvalidArgumentError
from pidgr.pagination import Page, PageTokens
from pidgr.secrets import MasterKey

TOKENS = PageTokens(MasterKey("a master key for tests, long enough"))
POSITIONS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=80).map(tuple)


def read(token: str, scope: str = "users/1") -> Page:
    return TOKENS.read(Pagination(page_size=5, page_token=token), scope)


@given(POSITIONS)
def test_a_token_leads_back_to_its_position(position: tuple[int, ...]) -> None:
    assert read(TOKENS.write("users/1", position)) == Page(5, position)


@given(POSITIONS, st.text(max_size=20))
def test_a_token_opens_no_other_list(position: tuple[int, ...], scope: str) -> None:
    token = TOKENS.write("users/1", position)
    if scope != "users/1":
        with pytest.raises(InvalidArgumentError):
            read(token, scope)


@given(POSITIONS, st.data())
def test_a_token_with_any_bit_turned_is_refused(
    position: tuple[int, ...], data: st.DataObject
) -> None:
    token = TOKENS.write("users/1", position)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidArgumentError, match="not a token of this list"):
        read(base64.urlsafe_b64encode(raw).decode())


@given(st.text(min_size=1))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        read(text)


@pytest.mark.parametrize(
    ("asked", "given_size"), [(0, 20), (1, 1), (99, 99), (100, 100), (101, 100), (2**31 - 1, 100)]
)
def test_a_page_has_20_rows_unless_told_and_100_at_most(asked: int, given_size: int) -> None:
    assert TOKENS.read(Pagination(page_size=asked), "users/1") == Page(given_size, ())


def test_without_a_pagination_it_is_the_first_page() -> None:
    assert TOKENS.read(None, "users/1") == Page(20, ())


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match=r"^pagination\.page_size: "):
        TOKENS.read(Pagination(page_size=-1), "users/1")


@pytest.mark.parametrize(("rows", "more"), [(0, False), (4, False), (5, False), (6, True)])
def test_only_a_row_beyond_the_page_makes_a_next_page(rows: int, more: bool) -> None:
    meta = TOKENS.meta("users/1", Page(5, ()), [(row,) for row in range(rows)], 9)
    assert meta.total_count == 9
    assert bool(meta.next_page_token) is more
    if more:
        assert read(meta.next_page_token).position == (4,)
