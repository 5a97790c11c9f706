"""SQL of what campaigns keep about one person, for when that person goes.

Deliveries and nudges stay: they hold no more than a number, and the counters of a campaign are the
sum of its deliveries. A number never comes back for somebody else (``member`` in
``pidgr.storage.schema``).
"""

from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

_FORGET: Final = (
    Statement("""
        update audience set variables = null
        where member_key = :member_key and variables is not null and campaign_key in
          (select key from campaign where organization_key = :organization_key)
    """),
    Statement("""
        delete from delivery_body where (step_run_key, ordinal) in
          (select step_run_key, ordinal from delivery
           where member_key = :member_key and organization_key = :organization_key)
    """),
    Statement("""
        delete from delivery_error where (step_run_key, ordinal) in
          (select step_run_key, ordinal from delivery
           where member_key = :member_key and organization_key = :organization_key)
    """),
)


def forget_member(transaction: Transaction, organization_key: int, member_key: int) -> None:
    """Delete the values and the rendered messages that campaigns hold for a member."""
    parameters = {"organization_key": organization_key, "member_key": member_key}
    for statement in _FORGET:
        transaction.execute(statement, parameters)
