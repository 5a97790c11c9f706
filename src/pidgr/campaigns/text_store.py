"""SQL of what a step sends to whom, where people do not all read the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pidgr.campaigns.run_store import (
    HAS_DEVICE,
    JOIN_MEMBER,
    BatchCounts,
    batch_statement,
    count_batch,
)
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import LOCALES


@dataclass(frozen=True, slots=True)
class StepText:
    """The text for people of one preferred locale; ``content_key`` where they all read the same."""

    preferred_locale: str
    locale: int
    title: str
    body: str
    content_key: int | None


_SELECT: Final = Statement("""
    select preferred_locale, locale, title, body, content_key
    from step_text where step_run_key = :step_run_key
""")
_COLUMNS: Final = (
    "step_run_key",
    "preferred_locale",
    "locale",
    "title",
    "body",
    "content_key",
)
_KNOWN: Final = ", ".join(f"'{locale}'" for locale in LOCALES)
_INSERT_BY_LOCALE: Final = batch_statement(f"""
    insert into delivery
      (step_run_key, ordinal, organization_key, member_key, kind, status, content_key, locale,
       created_at, changed_at)
    select :step_run_key, a.ordinal, :organization_key, a.member_key, :kind,
           case when {HAS_DEVICE} then :pending else :no_device end,
           s.content_key, s.locale, :now, :changed_at
    from audience a
    {JOIN_MEMBER}
    join step_text s on s.step_run_key = :step_run_key and s.preferred_locale =
         case when m.preferred_locale in ({_KNOWN}) then m.preferred_locale else '' end
    where a.campaign_key = :campaign_key and a.ordinal >= :since and a.ordinal < :upto
    order by a.ordinal
""")


def insert_texts(
    transaction: Transaction, step_run_key: int, texts: Mapping[str, StepText]
) -> None:
    """Keep a step's texts."""
    rows = [
        (step_run_key, text.preferred_locale, text.locale, text.title, text.body, text.content_key)
        for text in texts.values()
    ]
    transaction.bulk_insert("step_text", _COLUMNS, rows)


def texts(reader: Reader, step_run_key: int) -> dict[str, StepText]:
    """Return a step's texts by preferred locale; none where everybody reads the same content."""
    found = reader.records(StepText, _SELECT, {"step_run_key": step_run_key})
    return {text.preferred_locale: text for text in found}


def insert_by_locale(transaction: Transaction, parameters: dict[str, object]) -> BatchCounts:
    """Write a batch of deliveries whose content depends on the recipient's locale alone."""
    written = transaction.execute(_INSERT_BY_LOCALE, parameters)
    return count_batch(transaction, parameters, written)
