"""Messages of one's own: rendering a batch's bodies, and keeping them with their deliveries."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from pidgr.campaigns import body_store
from pidgr.campaigns.planning import ANY_LOCALE
from pidgr.content.rendering import PROFILE_COLUMNS, CompiledTemplate, RenderError, render
from pidgr.directory.profile import attributes_from_json
from pidgr.storage.database import Database
from pidgr.storage.transaction import Row, Transaction


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
        named = {
            variable.name
            for template in templates.values()
            for variable in template.variables
            if variable.from_profile
        }
        self._columns: Final = tuple(column for column in PROFILE_COLUMNS if column in named)
        self._recipients = body_store.recipients(self._columns)
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
        rows = self._database.read_now(lambda reader: reader.rows(self._recipients.all, batch))
        return partial(self._keep, self._render(rows))

    def _keep_in_database(
        self, insert: body_store.BodyInsert, since: int, upto: int, transaction: Transaction
    ) -> dict[int, str]:
        batch = self._batch(since, upto)
        made = body_store.render_bodies(transaction, insert, self._run_key, batch)
        if made == upto - since:
            return {}
        batch["step_run_key"] = self._run_key
        rows = transaction.rows(self._recipients.left, batch)
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
        for ordinal, variables, preferred_locale, attributes, *columns in rows:
            template = self._templates.get(preferred_locale) or self._templates[ANY_LOCALE]
            profile = dict(zip(self._columns, columns, strict=True))
            if template.needs_custom_attributes:
                profile = attributes_from_json(attributes) | profile
            own: dict[str, str] = json.loads(variables) if variables else {}
            try:
                bodies.append((self._run_key, ordinal, *render(template, own, profile)))
            except RenderError as error:
                errors[ordinal] = str(error)
        return _Rendered(bodies, errors)
