"""PostgreSQL's rendering of messages against Python's, which the contract's rules are tested on."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from support.organization import Tenant

from pidgr.campaigns import body_store
from pidgr.campaigns.own_messages import OwnMessages
from pidgr.campaigns.planning import ANY_LOCALE
from pidgr.content.rendering import (
    CompiledTemplate,
    RenderedMessage,
    RenderError,
    compile_template,
    render,
)
from pidgr.contract.v1.template_pb import TemplateType, TemplateVariable, TemplateVariableSource
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

CAMPAIGN = 7
RUN = 11
NAMES = ("first_name", "department", "team", "Office.No-1")
_ODD = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "%{}\\'\"_*#-ä€😀"
_VALUES = st.text(st.sampled_from(_ODD) | st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = _VALUES.filter(lambda text: "\0" not in text) | st.sampled_from(
    ["{{pii}}", "{{/pi{{/pii}}i}}", "x" * 600, "y\n" * 60]
)
PIECES = st.sampled_from([f"{{{{{name}}}}}" for name in NAMES]) | VALUES
SOURCES = st.lists(PIECES, max_size=9).map("".join)
SOURCE = TemplateVariableSource


@st.composite
def declarations(draw: st.DrawFn) -> list[TemplateVariable]:
    names = draw(st.sets(st.sampled_from(NAMES)))
    return [
        TemplateVariable(
            name=name,
            source=draw(st.sampled_from([SOURCE.PROFILE, SOURCE.CUSTOM])),
            default_value=draw(st.just("") | VALUES),
            required=draw(st.booleans()),
            pii=draw(st.booleans()),
        )
        for name in sorted(names)
    ]


_TEAM = TemplateVariable(name="team", source=SOURCE.PROFILE, default_value="none", pii=True)
PEOPLE = st.lists(
    st.tuples(
        st.none() | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3),
        st.just("") | VALUES,
        st.dictionaries(st.sampled_from(NAMES[2:]), VALUES, max_size=2),
        st.sampled_from(["", "de", "es"]),
    ),
    min_size=1,
    max_size=4,
)
Person = tuple[dict[str, str] | None, str, dict[str, str], str]
_PERSON = Statement("""
    insert into member (key, id, organization_key, email, email_folded, status, role_key,
                        first_name, custom_attributes, preferred_locale, created_at)
    select :key, :id, organization_key, :id, :id, status, role_key,
           :first_name, :custom_attributes, :preferred_locale, 0
    from member where id = :like
""")
_RECIPIENT = Statement("""
    insert into audience (campaign_key, ordinal, member_key, variables)
    values (:campaign_key, :ordinal, :key, :variables)
""")
_BODIES = Statement("""
    select ordinal, title, summary, preview, body, content_id from delivery_body order by ordinal
""")


class _UndoError(Exception):
    """Takes back what an example wrote."""


# On SQLite Python renders.
on_postgresql = pytest.mark.parametrize("migrated_database", ["postgresql"], indirect=True)
# There is no campaign around these recipients.
_WITHOUT_FOREIGN_KEYS = Statement("set local session_replication_role = replica")


def _address(transaction: Transaction, like: str, people: list[Person]) -> None:
    """Make recipients of people, and behind them one of somebody whose record is gone."""
    transaction.execute(_WITHOUT_FOREIGN_KEYS)
    for ordinal, (variables, first_name, attributes, locale) in enumerate(people):
        fields: dict[str, Any] = {
            "key": 1_000 + ordinal,
            "id": f"person-{ordinal}",
            "like": like,
            "first_name": first_name,
            "custom_attributes": json.dumps(attributes),
            "preferred_locale": locale,
        }
        transaction.execute(_PERSON, fields)
        recipient = {
            "campaign_key": CAMPAIGN,
            "ordinal": ordinal,
            "key": fields["key"],
            "variables": None if variables is None else json.dumps(variables),
        }
        transaction.execute(_RECIPIENT, recipient)
    gone = {"campaign_key": CAMPAIGN, "ordinal": len(people), "key": 999, "variables": None}
    transaction.execute(_RECIPIENT, gone)


def _by_python(
    templates: dict[str, CompiledTemplate], people: list[Person]
) -> dict[int, RenderedMessage]:
    messages = {}
    for ordinal, (variables, first_name, attributes, locale) in enumerate(people):
        template = templates.get(locale) or templates[ANY_LOCALE]
        try:
            messages[ordinal] = render(
                template, variables or {}, attributes | {"first_name": first_name}
            )
        except RenderError:
            continue
    return messages


@on_postgresql
@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.tuples(SOURCES, SOURCES, st.none() | SOURCES), declarations(), PEOPLE)
@example(("{{team}}", " {{team}} x", None), [], [({"team": "a\nb"}, "", {}, "")])
@example(("", "{{team}}", None), [], [({"team": " " + "x" * 600}, "", {}, "")])
@example(
    ("", "a{{team}}b", None), [], [({"team": one}, "", {}, "") for one in ("x" * 600, "é" * 300)]
)
@example(("", "a{{team}}" + "b" * 498 + " c", None), [], [({}, "", {}, "")])
@example(("", "{{team}}", None), [_TEAM], [(None, "", {"team": ""}, ""), ({}, "", {}, "de")])
@example(
    ("", "{{team}}", None),
    [_TEAM],
    [({"team": "{{/pii}}"}, "", {}, ""), ({}, "", {"team": "b"}, "")],
)
def test_postgresql_renders_what_python_renders(
    migrated_database: Database,
    acme: Tenant,
    sources: tuple[str, str, str | None],
    variables: list[TemplateVariable],
    people: list[Person],
) -> None:
    title, body, translation = sources
    templates = {ANY_LOCALE: compile_template(title, body, variables)}
    if translation is not None:
        templates["de"] = compile_template(title, translation, variables)
    assume(body_store.body_insert(templates, ANY_LOCALE) is not None)
    messages = OwnMessages(migrated_database, CAMPAIGN, RUN, templates)
    assert acme.admin.person is not None
    admin_id = acme.admin.person.id
    found: list[Any] = []

    def work(transaction: Transaction) -> None:
        _address(transaction, admin_id, people)
        errors = messages.prepare(0, len(people) + 1)(transaction)
        found.append((errors, transaction.rows(_BODIES)))
        raise _UndoError

    with pytest.raises(_UndoError):
        migrated_database.write_now(work)
    [(errors, rows)] = found
    wanted = _by_python(templates, people)
    assert {row[0]: RenderedMessage(*row[1:]) for row in rows} == wanted
    assert set(errors) == set(range(len(people))) - set(wanted)


@pytest.mark.parametrize(
    "compiled",
    [
        compile_template("", "<p>{{a}}</p>", [], template_type=TemplateType.HTML),
        compile_template("The same", "for everybody", []),
        compile_template("", "{{a}}" * 40, []),
        compile_template("", "\n\n".join(["{{a}}"] * 10), []),
    ],
    ids=["HTML", "no variables", "many holes", "many lines that may be empty"],
)
def test_some_templates_are_left_to_python(compiled: CompiledTemplate) -> None:
    assert body_store.body_insert({ANY_LOCALE: compiled}, ANY_LOCALE) is None


@on_postgresql
def test_a_plain_message_is_made_by_the_database_alone(
    migrated_database: Database, acme: Tenant
) -> None:
    """Otherwise Python would make all of them, and no other test would notice."""
    compiled = compile_template("Hi {{a}}", "**{{first_name}}**, read this.", [])
    insert = body_store.body_insert({ANY_LOCALE: compiled}, ANY_LOCALE)
    assert insert is not None
    assert acme.admin.person is not None
    admin_id = acme.admin.person.id
    people: list[Person] = [
        ({"a": "Ada"}, "", {}, ""),
        (None, "", {}, ""),
        ({"a": "x\n"}, "", {}, ""),
    ]

    def work(transaction: Transaction) -> int:
        _address(transaction, admin_id, people)
        batch = {"campaign_key": CAMPAIGN, "since": 0, "upto": len(people)}
        return body_store.render_bodies(transaction, insert, RUN, batch)

    assert migrated_database.write_now(work) == len(people)
