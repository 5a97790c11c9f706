"""Short codes: eight letters and digits that lead to a campaign."""

import re
import secrets
import string
from typing import Final

from pidgr.campaigns import link_store
from pidgr.campaigns.link_store import Signpost
from pidgr.content.rendering import public_title
from pidgr.content.variables import variables_from_json
from pidgr.storage.transaction import Transaction

LENGTH: Final = 8
SHORT_CODE: Final = re.compile(f"[0-9A-Za-z]{{{LENGTH}}}")

PATH: Final = "/c"
"""Where short links live: ``/c/CODE``."""
CODE_PARAMETER: Final = "c"
TOKEN_PARAMETER: Final = "t"  # noqa: S105 - a name
"""The names of code and token in the queries of links."""

_ALPHABET: Final = string.digits + string.ascii_letters


def new_code() -> str:
    """Return a random code: there are 2 * 10^14, so codes cannot be guessed through."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))


def short_code_of(transaction: Transaction, campaign_key: int) -> str:
    """Return a campaign's code, made now if it has none; it never changes."""
    while (found := link_store.short_code(transaction, campaign_key)) is None:
        link_store.insert_short_code(transaction, campaign_key, new_code())
    return found


def subject(signpost: Signpost) -> str:
    """Return the campaign's title as whoever has the link may see it."""
    title = signpost.campaign_title or signpost.template_title
    return public_title(title, variables_from_json(signpost.variables))
