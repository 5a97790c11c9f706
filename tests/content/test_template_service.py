import threading
import uuid

import pytest
from support.organization import START, Tenant

from pidgr.clock import SECOND, to_timestamp
from pidgr.content.template_service import TemplateService
from pidgr.contract.v1.common_pb import Pagination
from pidgr.contract.v1.template_pb import (
    CreateTemplateRequest,
    GetTemplateRequest,
    ListTemplatesRequest,
    Template,
    TemplateType,
    TemplateVariable,
    TemplateVariableSource,
    UpdateTemplateRequest,
)
from pidgr.errors import InvalidArgumentError, NotFoundError
from pidgr.identity.caller import Caller
from pidgr.storage.sql import Statement


class Templates:
    """TemplateService called as one organization's admin."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.installation = tenant.installation
        self.caller: Caller = tenant.admin
        self.service = TemplateService(self.installation.clock, self.installation.page_tokens)

    def create(self, request: CreateTemplateRequest) -> Template:
        template = self.installation.write(
            lambda unit: self.service.create_template(request, self.caller, unit)
        ).template
        assert template is not None
        return template

    def update(self, request: UpdateTemplateRequest) -> Template:
        template = self.installation.write(
            lambda unit: self.service.update_template(request, self.caller, unit)
        ).template
        assert template is not None
        return template

    def get(self, template_id: str, version: int = 0) -> Template:
        request = GetTemplateRequest(template_id=template_id, version=version)
        template = self.installation.read(
            lambda unit: self.service.get_template(request, self.caller, unit)
        ).template
        assert template is not None
        return template

    def page(
        self, size: int, token: str = "", type_: TemplateType = TemplateType.UNSPECIFIED
    ) -> tuple[list[Template], str, int]:
        request = ListTemplatesRequest(
            pagination=Pagination(page_size=size, page_token=token), type=type_
        )
        response = self.installation.read(
            lambda unit: self.service.list_templates(request, self.caller, unit)
        )
        meta = response.pagination_meta
        assert meta is not None
        return list(response.templates), meta.next_page_token, meta.total_count


@pytest.fixture
def templates(acme: Tenant) -> Templates:
    return Templates(acme)


def test_a_new_template_is_stored_whole_at_version_1(templates: Templates) -> None:
    variables = [
        TemplateVariable(
            name="first_name",
            description="Given name",
            required=True,
            source=TemplateVariableSource.PROFILE,
            default_value="all",
            pii=True,
        ),
        TemplateVariable(name="place"),
    ]
    made = templates.create(
        CreateTemplateRequest(
            name="Canteen",
            body="Hi {{first_name}}, \u00fc \U0001f600",
            title="Canteen of {{place}}",
            variables=variables,
            type=TemplateType.RICH,
            source_locale="pt-BR",
        )
    )
    assert templates.get(made.id) == templates.get(made.id, 1) == made
    assert (made.name, made.title, made.version) == ("Canteen", "Canteen of {{place}}", 1)
    assert made.body == "Hi {{first_name}}, \u00fc \U0001f600"
    assert list(made.variables) == variables
    assert made.type == TemplateType.RICH
    assert made.source_locale == "pt-BR"
    assert made.created_at == made.updated_at == to_timestamp(START)


def test_markdown_and_english_unless_told(templates: Templates) -> None:
    made = templates.create(CreateTemplateRequest(name="a", body="b"))
    assert (made.type, made.source_locale) == (TemplateType.MARKDOWN, "en")


def test_the_organizations_locale_goes_before_english(templates: Templates) -> None:
    templates.installation.write(
        lambda unit: unit.execute(Statement("update organization set default_locale = 'ja'"))
    )
    assert templates.create(CreateTemplateRequest(name="a", body="b")).source_locale == "ja"


def test_names_need_not_be_unique(templates: Templates) -> None:
    first = templates.create(CreateTemplateRequest(name="a", body="b"))
    assert templates.create(CreateTemplateRequest(name="a", body="b")).id != first.id


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (CreateTemplateRequest(body="b"), "name"),
        (CreateTemplateRequest(name="n" * 201, body="b"), "name"),
        (CreateTemplateRequest(name="a"), "body"),
        (CreateTemplateRequest(name="a", body=" \n"), "body"),
        (CreateTemplateRequest(name="a", body="b" * 50_001), "body"),
        (CreateTemplateRequest(name="a", body="\0"), "body"),
        (CreateTemplateRequest(name="a", body="b", title="t" * 201), "title"),
        (CreateTemplateRequest(name="a", body="b", type=TemplateType(9)), "type"),
        (CreateTemplateRequest(name="a", body="b", source_locale="de"), "source_locale"),
        (
            CreateTemplateRequest(name="a", body="b", variables=[TemplateVariable()]),
            "variables[0].name",
        ),
        (
            CreateTemplateRequest(name="a", body="b", variables=[TemplateVariable(name="1a")]),
            "variables[0].name",
        ),
        (
            CreateTemplateRequest(name="a", body="b", variables=[TemplateVariable(name="v" * 101)]),
            "variables[0].name",
        ),
        (
            CreateTemplateRequest(
                name="a",
                body="b",
                variables=[TemplateVariable(name="v"), TemplateVariable(name="v")],
            ),
            "variables[1].name",
        ),
        (
            CreateTemplateRequest(
                name="a", body="b", variables=[TemplateVariable(name="v", description="d" * 501)]
            ),
            "variables[0].description",
        ),
        (
            CreateTemplateRequest(
                name="a", body="b", variables=[TemplateVariable(name="v", default_value="d" * 1001)]
            ),
            "variables[0].default_value",
        ),
        (
            CreateTemplateRequest(
                name="a",
                body="b",
                variables=[TemplateVariable(name="v", source=TemplateVariableSource(7))],
            ),
            "variables[0].source",
        ),
        (
            CreateTemplateRequest(
                name="a", body="b", variables=[TemplateVariable(name=f"v{n}") for n in range(201)]
            ),
            "variables",
        ),
    ],
)
def test_a_malformed_template_names_its_field(
    templates: Templates, request_: CreateTemplateRequest, field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        templates.create(request_)
    assert [violation.field for violation in raised.value.violations] == [field]
    assert templates.page(10) == ([], "", 0)


def test_limits_are_inclusive(templates: Templates) -> None:
    variables = [
        TemplateVariable(name=f"v{n:099}", description="d" * 500, default_value="e" * 1_000)
        for n in range(200)
    ]
    made = templates.create(
        CreateTemplateRequest(
            name="n" * 200, body="ü" * 50_000, title="t" * 200, variables=variables
        )
    )
    assert templates.get(made.id) == made


def test_an_update_appends_a_version_and_keeps_the_rest(templates: Templates) -> None:
    first = templates.create(
        CreateTemplateRequest(
            name="a",
            body="b",
            title="t",
            type=TemplateType.HTML,
            source_locale="es",
            variables=[TemplateVariable(name="v")],
        )
    )
    templates.installation.clock.advance(SECOND)
    second = templates.update(UpdateTemplateRequest(template_id=first.id.upper(), body="c"))
    assert (second.version, second.body, list(second.variables)) == (2, "c", [])
    assert (second.name, second.title, second.source_locale) == ("a", "t", "es")
    assert second.type == TemplateType.HTML
    assert second.created_at == second.updated_at == to_timestamp(START + SECOND)
    assert templates.get(first.id) == second
    old = templates.get(first.id, 1)
    assert (old.version, old.body, len(old.variables)) == (1, "b", 1)
    assert old.created_at == to_timestamp(START)
    assert old.updated_at == to_timestamp(START + SECOND)


def test_concurrent_updates_get_consecutive_numbers(templates: Templates) -> None:
    made = templates.create(CreateTemplateRequest(name="a", body="b"))
    versions: list[int] = []

    def update() -> None:
        for _ in range(5):
            request = UpdateTemplateRequest(template_id=made.id, body="c")
            versions.append(templates.update(request).version)

    threads = [threading.Thread(target=update) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(versions) == list(range(2, 22))


@pytest.mark.parametrize(
    ("body", "variables", "field"),
    [
        ("", [], "body"),
        ("b" * 50_001, [], "body"),
        ("b", [TemplateVariable(name="a b")], "variables[0].name"),
    ],
)
def test_a_malformed_update_names_its_field_and_adds_nothing(
    templates: Templates, body: str, variables: list[TemplateVariable], field: str
) -> None:
    made = templates.create(CreateTemplateRequest(name="a", body="b"))
    with pytest.raises(InvalidArgumentError) as raised:
        templates.update(UpdateTemplateRequest(template_id=made.id, body=body, variables=variables))
    assert [violation.field for violation in raised.value.violations] == [field]
    assert templates.get(made.id) == made


def test_what_is_not_there_is_not_found(templates: Templates) -> None:
    foreign = Templates(templates.installation.found("Beta", "bob@example.com")).create(
        CreateTemplateRequest(name="a", body="b")
    )
    own = templates.create(CreateTemplateRequest(name="a", body="b"))
    for template_id in (str(uuid.uuid4()), foreign.id):
        with pytest.raises(NotFoundError, match="no template"):
            templates.get(template_id)
        with pytest.raises(NotFoundError, match="no template"):
            templates.get(template_id, 1)
        with pytest.raises(NotFoundError, match="no template"):
            templates.update(UpdateTemplateRequest(template_id=template_id, body="c"))
    with pytest.raises(NotFoundError, match="no version 2"):
        templates.get(own.id, 2)


def test_malformed_ids_and_versions_are_refused(templates: Templates) -> None:
    made = templates.create(CreateTemplateRequest(name="a", body="b"))
    with pytest.raises(InvalidArgumentError):
        templates.get("a")
    with pytest.raises(InvalidArgumentError):
        templates.get(made.id, -1)
    with pytest.raises(InvalidArgumentError):
        templates.update(UpdateTemplateRequest(template_id="a", body="b"))


def test_templates_are_listed_newest_first_over_every_page(templates: Templates) -> None:
    ids = [templates.create(CreateTemplateRequest(name=f"t{n}", body="b")).id for n in range(7)][
        ::-1
    ]
    templates.update(UpdateTemplateRequest(template_id=ids[-1], body="new"))
    Templates(templates.installation.found("Beta", "bob@example.com")).create(
        CreateTemplateRequest(name="a", body="b")
    )
    for size in (1, 3, 100):
        listed: list[Template] = []
        token = ""
        while True:
            found, token, total = templates.page(size, token)
            listed += found
            assert total == 7
            if not token:
                break
        assert [template.id for template in listed] == ids
        assert (listed[-1].body, listed[-1].version) == ("new", 2)


def test_pages_do_not_shift_when_templates_are_added(templates: Templates) -> None:
    ids = [templates.create(CreateTemplateRequest(name="t", body="b")).id for _ in range(3)]
    _, token, _ = templates.page(2)
    templates.create(CreateTemplateRequest(name="t", body="b"))
    found, token, total = templates.page(2, token)
    assert ([template.id for template in found], token, total) == ([ids[0]], "", 4)


def test_templates_are_filtered_by_type(templates: Templates) -> None:
    for type_ in (TemplateType.UNSPECIFIED, TemplateType.RICH, TemplateType.HTML):
        templates.create(CreateTemplateRequest(name=type_.name, body="b", type=type_))
    found, _, total = templates.page(10, type_=TemplateType.MARKDOWN)
    assert ([template.name for template in found], total) == (["UNSPECIFIED"], 1)
    assert templates.page(10)[2] == 3
    with pytest.raises(InvalidArgumentError):
        templates.page(10, type_=TemplateType(9))


def test_a_token_of_another_filter_or_organization_is_refused(templates: Templates) -> None:
    for _ in range(2):
        templates.create(CreateTemplateRequest(name="a", body="b"))
    _, token, _ = templates.page(1)
    with pytest.raises(InvalidArgumentError):
        templates.page(1, token, TemplateType.MARKDOWN)
    beta = Templates(templates.installation.found("Beta", "bob@example.com"))
    with pytest.raises(InvalidArgumentError):
        beta.page(1, token)
