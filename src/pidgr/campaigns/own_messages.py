"""Messages of one's own: rendering a batch's bodies, and keeping them with their deliveries."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from pidgr.campaigns import body_store
from pidgr.campaigns.planning import ANY_LOCALE
from pidgr.content.rendering import (
    PROFILE_COLUMNS,
    CompiledTemplate,
    RenderedMessage,
    RenderError,
    profile_values,
    render,
)
from pidgr.storage.database import Database
from pidgr.storage.transaction import Row, Transaction

# Where the profile begins in a row of ``run_store.recipients``.
_FIRST_PROFILE_COLUMN: Final = 2
_LAST_PROFILE_COLUMN: Final = _FIRST_PROFILE_COLUMN + len(PROFILE_COLUMNS)


class _Rendered(NamedTuple):
    """A batch's bodies as rows, and by ordinal why a message could not be made."""

    bodies: list[Row]
    errors: dict[int, str]


class OwnMessages:
    """Makes the messages of a run's recipients, each from the text for their preferred locale."""

    def __init__(
        self,
        database: Database,
        campaign_key: int,
        run_key: int,
        templates: Mapping[str, CompiledTemplate],
    ) -> None:
        self._database = database
        self._campaign_key = campaign_key
        self._run_key = run_key
        self._templates = templates
        # SQLite would have to call Python for the hash of each body.
        self._insert = (
            body_store.body_insert(templates, ANY_LOCALE)
            if database.dialect == "postgresql"
            else None
        )

    def prepare(self, since: int, upto: int) -> Callable[[Transaction], dict[int, str]]:
        """Return what keeps a batch's messages, and returns by ordinal why some cannot be made.

        What Python renders is rendered by then, so that no transaction waits for it.
        """
        if self._insert is not None:
            return partial(self._keep_in_database, self._insert, since, upto)
        batch = self._batch(since, upto)
        rows = self._database.read_now(lambda reader: body_store.recipients(reader, batch))
        return partial(self._keep, self._render(rows))

    def _keep_in_database(
        self, insert: body_store.BodyInsert, since: int, upto: int, transaction: Transaction
    ) -> dict[int, str]:
        batch = self._batch(since, upto)
        made = body_store.render_bodies(transaction, insert, self._run_key, batch)
        if made == upto - since:
            return {}
        rows = body_store.recipients_left(transaction, self._run_key, batch)
        return self._keep(self._render(rows), transaction)

    def _batch(self, since: int, upto: int) -> dict[str, int]:
        return {"campaign_key": self._campaign_key, "since": since, "upto": upto}

    def _keep(self, rendered: _Rendered, transaction: Transaction) -> dict[int, str]:
        body_store.insert_bodies(transaction, rendered.bodies)
        return rendered.errors

    def _render(self, rows: Sequence[Row]) -> _Rendered:
        """Render a batch; a recipient whose message cannot be made fails alone."""
        bodies: list[Row] = []
        errors: dict[int, str] = {}
        for row in rows:
            ordinal = row[0]
            template = self._templates.get(row[-1]) or self._templates[ANY_LOCALE]
            try:
                message = _render_one(template, row)
            except RenderError as error:
                errors[ordinal] = str(error)
                continue
            bodies.append((self._run_key, ordinal, *message))
        return _Rendered(bodies, errors)


def _render_one(compiled: CompiledTemplate, row: Row) -> RenderedMessage:
    own: dict[str, str] = json.loads(row[1]) if row[1] else {}
    columns: Sequence[str] = row[_FIRST_PROFILE_COLUMN:_LAST_PROFILE_COLUMN]
    return render(compiled, own, profile_values(compiled, columns, row[_LAST_PROFILE_COLUMN]))
