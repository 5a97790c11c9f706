"""RenderService: messages in bulk for services of this installation (SEMANTICS 2.10)."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Final

from pidgr.clock import Clock, to_timestamp
from pidgr.content import render_store
from pidgr.content.locales import LocalText, texts_by_preference
from pidgr.content.lookup import find_template
from pidgr.content.rendering import (
    CompiledTemplate,
    RenderError,
    compile_template,
    profile_values,
    render,
)
from pidgr.content.translation_store import approved_texts
from pidgr.content.variables import variables_from_json
from pidgr.contract.v1.common_pb import Message
from pidgr.contract.v1.render_pb import (
    RenderBatchRequest,
    RenderBatchResponse,
    UserRenderContext,
)
from pidgr.contract.v1.template_pb import TemplateType
from pidgr.directory import organization_store
from pidgr.errors import Violations, invalid_field
from pidgr.identity.caller import Caller
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Row
from pidgr.validation import check_text, is_uuid

MOST_USERS: Final = 10_000
MOST_VARIABLES: Final = 100
NAME_LENGTH: Final = 100
VALUE_LENGTH: Final = 10_000

# People whose profiles are read together and whose messages leave together.
_BATCH: Final = 200
# Violations after which nobody reads on.
_NAMED: Final = 10

Texts = Mapping[str, CompiledTemplate]


class RenderService:
    """Renders one template for many people; nothing is stored."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def render_batch(
        self, request: RenderBatchRequest, caller: Caller
    ) -> AsyncIterator[RenderBatchResponse]:
        """Yield each person's message, or why there is none.

        Raises:
            InvalidArgumentError: too many people, or a malformed field; before the first message.
            NotFoundError: no such template or version; likewise.
        """
        organization_key = caller.organization_key
        await asyncio.to_thread(_check_users, request.users)
        texts = await self._database.read(
            lambda reader: _texts(reader, organization_key, request), heavy=True
        )
        for start in range(0, len(request.users), _BATCH):
            users = request.users[start : start + _BATCH]
            ids = [user.user_id.lower() for user in users]
            people = await self._database.read(
                partial(render_store.readers, organization_key=organization_key, ids=ids),
                heavy=True,
            )
            for response in await asyncio.to_thread(self._render, texts, users, people):
                yield response

    def _render(
        self, texts: Texts, users: Sequence[UserRenderContext], people: Mapping[str, Row]
    ) -> list[RenderBatchResponse]:
        return [self._render_one(texts, user, people.get(user.user_id.lower())) for user in users]

    def _render_one(
        self, texts: Texts, user: UserRenderContext, person: Row | None
    ) -> RenderBatchResponse:
        if person is None:
            error = f"no member has the id {user.user_id}"
            return RenderBatchResponse(user_id=user.user_id, error=error)
        *columns, custom_attributes, preferred = person
        compiled = texts[preferred]
        try:
            made = render(
                compiled, user.variables, profile_values(compiled, columns, custom_attributes)
            )
        except RenderError as error:
            return RenderBatchResponse(user_id=user.user_id, error=str(error))
        return RenderBatchResponse(
            user_id=user.user_id,
            message=Message(
                content_id=made.content_id,
                title=made.title,
                summary=made.summary,
                preview=made.preview,
                body=made.body,
                created_at=to_timestamp(self._clock.now()),
            ),
        )


def _texts(reader: Reader, organization_key: int, request: RenderBatchRequest) -> Texts:
    """Return the compiled text for each preferred locale."""
    template = find_template(reader, organization_key, request.template_id, request.version)
    chosen = texts_by_preference(
        LocalText(template.source_locale, template.title, template.body),
        approved_texts(reader, template.key, template.version),
        campaign_locale="",
        organization_locale=organization_store.default_locale(reader, organization_key),
    )
    variables = variables_from_json(template.variables)
    compiled = {
        text: compile_template(
            text.title, text.body, variables, template_type=TemplateType(template.type)
        )
        for text in set(chosen.values())
    }
    return {preferred: compiled[text] for preferred, text in chosen.items()}


def _check_users(users: Sequence[UserRenderContext]) -> None:
    """Hold the people against the contract's limits.

    Raises:
        InvalidArgumentError: naming what is wrong, up to ten times.
    """
    if len(users) > MOST_USERS:
        raise invalid_field("users", f"must have at most {MOST_USERS:,} entries")
    violations = Violations()
    for place, user in enumerate(users):
        path = f"users[{place}]"
        if not is_uuid(user.user_id.lower()):
            violations.add(f"{path}.user_id", "must be a UUID")
        if len(user.variables) > MOST_VARIABLES:
            violations.add(f"{path}.variables", f"must have at most {MOST_VARIABLES} entries")
        else:
            for name, value in user.variables.items():
                check_text(violations, f"{path}.variables", name, NAME_LENGTH)
                check_text(violations, f"{path}.variables", value, VALUE_LENGTH)
        if len(violations.found) >= _NAMED:
            break
    violations.raise_if_any()
