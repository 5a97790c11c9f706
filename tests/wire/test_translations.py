"""Translations: their life, and who reads which."""

from typing import Any

import grpc
import pytest
from support.grpc_client import Client, Organization
from support.running import Installation
from support.story import Story

from pidgr.storage.sql import Statement


@pytest.fixture
def story(installation: Installation, client: Client, organization: Organization) -> Story:
    return Story(installation, client, organization, people=3)


def translate(story: Story, template_id: str, locale: str, **fields: Any) -> Any:
    values = {"template_id": template_id, "locale": locale, "body": f"body in {locale}", **fields}
    created = story.client("TemplateService/CreateTemplateTranslation", story.key, **values)
    return created.translation


def approve(story: Story, translation_id: str) -> Any:
    approved = story.client(
        "TemplateService/ApproveTemplateTranslation", story.key, translation_id=translation_id
    )
    return approved.translation


def update(story: Story, translation_id: str, **fields: Any) -> Any:
    changed = story.client(
        "TemplateService/UpdateTemplateTranslation",
        story.key,
        translation_id=translation_id,
        **fields,
    )
    return changed.translation


def prefer(story: Story, user_id: str, locale: str) -> None:
    statement = Statement("update member set preferred_locale = :locale where id = :id")
    story.installation.system.database.write_now(
        lambda transaction: transaction.execute(statement, {"locale": locale, "id": user_id})
    )


def read(story: Story, user_id: str) -> tuple[str, str]:
    (entry,) = story.client("InboxService/Sync", story.tokens[user_id]).entries
    return entry.rendered_locale, entry.message.body


def test_a_translation_goes_from_draft_to_approved_and_back_when_edited(story: Story) -> None:
    stubs = story.client.stubs
    template_id = story.template()
    made = translate(story, template_id, "es", title="Nueva", translated_by="ai:example")
    assert made.status == stubs.TRANSLATION_STATUS_DRAFT
    assert (made.version, made.title, made.translated_by) == (1, "Nueva", "ai:example")

    reviewed = update(story, made.id, status=stubs.TRANSLATION_STATUS_IN_REVIEW)
    assert reviewed.status == stubs.TRANSLATION_STATUS_IN_REVIEW
    approved = approve(story, made.id)
    assert approved.status == stubs.TRANSLATION_STATUS_APPROVED
    assert approved.reviewed_by
    assert approved.HasField("reviewed_at")
    assert approve(story, made.id) == approved

    edited = update(story, made.id, body="otra")
    assert edited.status == stubs.TRANSLATION_STATUS_DRAFT
    assert edited.reviewed_by == ""
    assert not edited.HasField("reviewed_at")
    listed = story.client(
        "TemplateService/ListTemplateTranslations", story.key, template_id=template_id
    )
    assert list(listed.translations) == [edited]


def test_each_reads_their_language_where_it_is_approved(story: Story) -> None:
    template_id = story.template(body="body in en")
    approve(story, translate(story, template_id, "es").id)
    translate(story, template_id, "ja")
    english, spanish, japanese = story.user_ids
    prefer(story, spanish, "es")
    prefer(story, japanese, "ja")
    story.start(template_id=template_id)
    assert read(story, english) == ("en", "body in en")
    assert read(story, spanish) == ("es", "body in es")
    # Not approved, so not used.
    assert read(story, japanese) == ("en", "body in en")


def test_a_campaigns_locale_goes_before_everyones_own(story: Story) -> None:
    template_id = story.template(body="body in en")
    approve(story, translate(story, template_id, "es").id)
    approve(story, translate(story, template_id, "zh").id)
    prefer(story, story.user_ids[0], "zh")
    story.start(template_id=template_id, default_locale="es")
    assert {read(story, user_id) for user_id in story.user_ids} == {("es", "body in es")}


def test_personal_texts_follow_the_locale_too(story: Story) -> None:
    template_id = story.template(body="Hello {{name}}")
    template = story.client("TemplateService/GetTemplate", story.key, template_id=template_id)
    assert template.template.version == 1
    approve(story, translate(story, template_id, "pt-BR", body="Olá {{name}}").id)
    stubs = story.client.stubs
    first, second, _ = story.user_ids
    prefer(story, first, "pt-BR")
    audience = [
        stubs.AudienceMember(user_id=first, variables={"name": "Ana"}),
        stubs.AudienceMember(user_id=second, variables={"name": "Bob"}),
    ]
    story.start(template_id=template_id, user_ids=[], audience=audience)
    assert read(story, first) == ("pt-BR", "Olá Ana")
    assert read(story, second) == ("en", "Hello Bob")


def test_a_translation_belongs_to_its_version(story: Story) -> None:
    template_id = story.template()
    approve(story, translate(story, template_id, "es").id)
    prefer(story, story.user_ids[0], "es")
    story.client(
        "TemplateService/UpdateTemplate", story.key, template_id=template_id, body="second"
    )
    story.start(template_id=template_id)
    assert read(story, story.user_ids[0]) == ("en", "second")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"locale": ""}, "locale"),
        ({"locale": "fr"}, "locale"),
        ({"locale": "en"}, "locale"),
        ({"body": ""}, "body"),
        ({"body": "x" * 50_001}, "body"),
        ({"title": "x" * 201}, "title"),
        ({"status": 4}, "status"),
        ({"status": 99}, "status"),
        ({"version": -1}, "version"),
    ],
)
def test_a_malformed_translation_is_refused(
    story: Story, fields: dict[str, Any], path: str
) -> None:
    template_id = story.template()
    values = {"template_id": template_id, "locale": "es", "body": "b", **fields}
    error = story.client.error("TemplateService/CreateTemplateTranslation", story.key, **values)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"{path}:")
    listed = story.client(
        "TemplateService/ListTemplateTranslations", story.key, template_id=template_id
    )
    assert not listed.translations


def test_one_translation_per_version_and_locale(story: Story) -> None:
    template_id = story.template()
    translate(story, template_id, "es")
    error = story.client.error(
        "TemplateService/CreateTemplateTranslation",
        story.key,
        template_id=template_id,
        locale="es",
        body="again",
    )
    assert error.code() == grpc.StatusCode.ALREADY_EXISTS


def test_approving_needs_the_reviewers_permission_by_either_door(story: Story) -> None:
    stubs = story.client.stubs
    made = translate(story, story.template(), "es")
    writer = story.client(
        "ApiKeyService/CreateApiKey",
        story.key,
        name="writer",
        permissions=[stubs.PERMISSION_TEMPLATES_WRITE],
    ).key
    for rpc, fields in (
        ("ApproveTemplateTranslation", {}),
        ("UpdateTemplateTranslation", {"status": stubs.TRANSLATION_STATUS_APPROVED}),
    ):
        error = story.client.error(
            f"TemplateService/{rpc}", writer, translation_id=made.id, **fields
        )
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED
        assert error.details() == "requires TEMPLATES_REVIEW permission"


def test_another_organization_finds_no_translation(
    story: Story, installation: Installation
) -> None:
    template_id = story.template()
    made = translate(story, template_id, "es")
    other = installation.found().api_key
    calls: list[tuple[str, dict[str, Any]]] = [
        ("CreateTemplateTranslation", {"template_id": template_id, "locale": "ja", "body": "b"}),
        ("ListTemplateTranslations", {"template_id": template_id}),
        ("UpdateTemplateTranslation", {"translation_id": made.id, "body": "b"}),
        ("ApproveTemplateTranslation", {"translation_id": made.id}),
    ]
    for rpc, fields in calls:
        error = story.client.error(f"TemplateService/{rpc}", other, **fields)
        assert error.code() == grpc.StatusCode.NOT_FOUND, rpc
