import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidgr.campaigns.delivery_id import LARGEST_ORDINAL, DeliveryIds, DeliveryKey
from pidgr.errors import InvalidArgumentError, NotFoundError
from pidgr.secrets import MasterKey

IDS = DeliveryIds(MasterKey("a master key for tests, long enough"))
OTHER_IDS = DeliveryIds(MasterKey("another master key, just as long as"))
RUNS = st.integers(0, 2**48 - 1)
ORDINALS = st.integers(0, LARGEST_ORDINAL)
# Version and variant are the only bits that RFC 9562 fixes.
UUID_V8 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@given(RUNS, ORDINALS)
def test_an_id_is_a_uuid_of_version_8_and_leads_back(run: int, ordinal: int) -> None:
    text = IDS.encode(run, ordinal)
    assert UUID_V8.fullmatch(text)
    assert IDS.decode("delivery_id", text) == DeliveryKey(run, ordinal)
    assert IDS.decode("delivery_id", text.upper()) == DeliveryKey(run, ordinal)


@given(RUNS, ORDINALS, st.integers(0, 127))
def test_an_id_with_any_bit_turned_is_unknown(run: int, ordinal: int, bit: int) -> None:
    turned = f"{int(IDS.encode(run, ordinal).replace('-', ''), 16) ^ (1 << bit):032x}"
    text = f"{turned[:8]}-{turned[8:12]}-{turned[12:16]}-{turned[16:20]}-{turned[20:]}"
    with pytest.raises(NotFoundError):
        IDS.decode("delivery_id", text)


@given(st.uuids())
def test_an_id_that_is_not_ours_is_unknown(stranger: object) -> None:
    with pytest.raises(NotFoundError):
        IDS.decode("delivery_id", str(stranger))


@given(RUNS, ORDINALS)
def test_an_id_of_another_installation_is_unknown(run: int, ordinal: int) -> None:
    with pytest.raises(NotFoundError):
        IDS.decode("delivery_id", OTHER_IDS.encode(run, ordinal))


def test_an_audience_of_100000_fits_into_the_ordinals() -> None:
    assert LARGEST_ORDINAL >= 100_000


@pytest.mark.parametrize(
    "value", ["", "x", "0" * 32, "\u212a" * 36, "{" + IDS.encode(1, 1) + "}", "urn:uuid:x"]
)
def test_what_is_no_uuid_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^delivery_id: must be a UUID$"):
        IDS.decode("delivery_id", value)
