import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidgr.content.placeholders import PLACEHOLDER
from pidgr.content.rendering import (
    PROFILE_COLUMNS,
    CompiledTemplate,
    RenderedMessage,
    RenderError,
    compile_template,
    is_shared,
    profile_values,
    render,
    strip_markers,
)
from pidgr.contract.v1.template_pb import TemplateType, TemplateVariable, TemplateVariableSource

PROFILE = TemplateVariableSource.PROFILE
CUSTOM = TemplateVariableSource.CUSTOM


def rendered(
    body: str,
    own_values: dict[str, str] | None = None,
    *variables: TemplateVariable,
    title: str = "",
    profile: dict[str, str] | None = None,
    step_values: dict[str, str] | None = None,
    template_type: TemplateType = TemplateType.MARKDOWN,
) -> RenderedMessage:
    compiled = compile_template(
        title, body, variables, template_type=template_type, step_values=step_values or {}
    )
    return render(compiled, own_values or {}, profile or {})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Hi {{a}}!", "Hi 1!"),
        ("{{ a }}{{a}}{{\ta\n}}", "111"),
        ("{{a.b-c_D9}}", "2"),
        ("{{ü}} {{9a}} {{a b}} {{}} {{ }} { {a} } {a} {{a}", None),
        ("{{{a}}}", "{1}"),
        ("{{{{a}}}}", "{{1}}"),
        ("{{" + "n" * 100 + "}}", "3"),
        ("{{" + "n" * 101 + "}}", None),
        ("100 % of {{a}} %s %(a)s %%", "100 % of 1 %s %(a)s %%"),
        ("", ""),
    ],
)
def test_placeholders_are_filled_and_everything_else_stays(body: str, expected: str | None) -> None:
    values = {"a": "1", "a.b-c_D9": "2", "n" * 100: "3"}
    assert rendered(body, values).body == (body if expected is None else expected)


def test_titles_have_placeholders_too() -> None:
    assert rendered("", {"a": "Ada"}, title="Hi {{a}}").title == "Hi Ada"


def test_a_title_that_grew_too_long_is_cut() -> None:
    title = rendered("", {"a": "x" * 300}, title="Hi {{a}}").title
    assert len(title) == 200
    assert title.endswith("x…")
    assert rendered("", {"a": "x" * 197}, title="Hi {{a}}").title == "Hi " + "x" * 197


@pytest.mark.parametrize(
    ("own", "step", "profile", "default", "source", "expected"),
    [
        ("own", "step", "profile", "default", PROFILE, "own"),
        ("", "step", "profile", "default", PROFILE, "step"),
        ("", "", "profile", "default", PROFILE, "profile"),
        ("", "", "", "default", PROFILE, "default"),
        ("", "", "", "", PROFILE, ""),
        ("", "", "profile", "default", CUSTOM, "default"),
        ("", "", "profile", "default", TemplateVariableSource.UNSPECIFIED, "default"),
        ("own", "", "profile", "default", CUSTOM, "own"),
        ("", "step", "profile", "default", CUSTOM, "step"),
    ],
)
def test_the_first_source_with_a_value_gives_it(
    own: str,
    step: str,
    profile: str,
    default: str,
    source: TemplateVariableSource,
    expected: str,
) -> None:
    variable = TemplateVariable(name="v", source=source, default_value=default)
    message = rendered(
        "{{v}}", {"v": own}, variable, step_values={"v": step}, profile={"v": profile}
    )
    assert message.body == expected


def test_an_undeclared_placeholder_takes_campaign_values_only() -> None:
    assert rendered("{{v}}", {"v": "own"}).body == "own"
    assert rendered("{{v}}", step_values={"v": "step"}).body == "step"
    assert rendered("[{{v}}]", profile={"v": "profile"}).body == "[]"


def test_a_required_variable_without_a_value_fails_and_is_named() -> None:
    required = TemplateVariable(name="v", source=PROFILE, required=True)
    with pytest.raises(RenderError, match="v"):
        rendered("{{v}}", {"v": ""}, required, profile={"v": ""})
    assert rendered("{{v}}", {}, required, profile={"v": "x"}).body == "x"


def test_a_required_variable_with_a_default_does_not_fail() -> None:
    required = TemplateVariable(name="v", required=True, default_value="d")
    assert rendered("{{v}}", {}, required).body == "d"


def test_a_required_variable_that_no_text_uses_does_not_fail() -> None:
    assert rendered("Hi", {}, TemplateVariable(name="v", required=True)).body == "Hi"


def test_personal_data_is_marked_in_the_body_only() -> None:
    pii = TemplateVariable(name="v", pii=True)
    message = rendered("Pay: {{v}}.", {"v": "9"}, pii, title="Pay {{v}}")
    assert message.body == "Pay: {{pii}}9{{/pii}}."
    assert message.title == "Pay 9"
    assert message.summary == message.preview == "Pay: 9."
    assert strip_markers(message.body) == "Pay: 9."


def test_nothing_is_marked_when_there_is_nothing() -> None:
    assert rendered("[{{v}}]", {}, TemplateVariable(name="v", pii=True)).body == "[]"


@pytest.mark.parametrize("value", ["9{{/pii}}8", "9{{/p{{/pii}}ii}}8", "{{pii}}98"])
def test_a_value_cannot_end_its_own_marking(value: str) -> None:
    pii = TemplateVariable(name="v", pii=True)
    assert rendered("{{v}}", {"v": value}, pii).body == "{{pii}}98{{/pii}}"


def test_a_body_has_at_most_100000_characters() -> None:
    assert len(rendered("{{v}}" * 10, {"v": "x" * 10_000}).body) == 100_000
    for body in ("{{v}}" * 10 + "x", "{{v}}" * 9_000):
        with pytest.raises(RenderError, match="at most 100,000"):
            rendered(body, {"v": "x" * 10_000})


def test_content_ids_are_hashes_of_title_and_body() -> None:
    message = rendered("Grüße", title="Hi")
    assert message.content_id == hashlib.sha256("Hi\0Grüße".encode()).hexdigest()
    assert rendered("b", title="a").content_id != rendered("", title="ab").content_id


def test_only_a_text_without_placeholders_is_shared() -> None:
    assert is_shared(compile_template("a", "b", [TemplateVariable(name="v", required=True)]))
    assert not is_shared(compile_template("a {{v}}", "b", []))
    assert not is_shared(compile_template("a", "b {{v}}", []))


def test_profile_values_come_from_columns_and_custom_attributes() -> None:
    def compiled(name: str) -> CompiledTemplate:
        variable = TemplateVariable(name=name, source=PROFILE)
        return compile_template("", f"{{{{{name}}}}}", [variable])

    columns = [f"<{name}>" for name in PROFILE_COLUMNS]
    stored = json.dumps({"shirt": "M", "email": "not this one"})
    for name in PROFILE_COLUMNS:
        template = compiled(name)
        assert not template.needs_custom_attributes
        values = profile_values(template, columns, stored)
        assert render(template, profile=values).body == f"<{name}>"
    template = compiled("shirt")
    assert template.needs_custom_attributes
    assert render(template, profile=profile_values(template, columns, stored)).body == "M"
    assert render(template, profile=profile_values(template, columns, "{}")).body == ""


@pytest.mark.parametrize(
    ("body", "summary", "preview"),
    [
        ("# Hello *all*\n\nText **here**.", "Hello all", "Hello all Text here."),
        ("\n\n---\n\n- [one](http://x)\n- `two`\n", "one", "one two"),
        ("a\nb  \nc", "a b", "a b c"),
        ("![a *cat*](http://x)\n\n> quoted", "a cat", "a cat quoted"),
        ("```\ncode {x}\nmore\n```", "code {x}", "code {x} more"),
        ("<div>gone</div>\n\nx <b>y</b> &amp; z", "x y & z", "x y & z"),
        ("| a | b |\n|---|---|\n| 1 | ~~2~~ |", "a", "a b 1 2"),
        ("1 \\* 2", "1 * 2", "1 * 2"),
        ("", "", ""),
        ("{{empty}}\n\n{{name}}\n\nrest", "Ada", "Ada rest"),
        ("**{{name}}** and [{{name}}]({{url}})", "Ada and Ada", "Ada and Ada"),
        ("{{lines}}\n\nrest", "one", "one two rest"),
        ("\ue0000\ue001 {{name}}", "0 Ada", "0 Ada"),
        ("&#xE000;7&#xE001;{{name}}", "Ada", "Ada"),
    ],
)
def test_summary_is_the_first_line_and_preview_the_start_without_markup(
    body: str, summary: str, preview: str
) -> None:
    values = {"name": "Ada", "url": "http://x", "lines": "\none\ntwo"}
    message = rendered(body, values)
    assert (message.summary, message.preview) == (summary, preview)


def test_summary_and_preview_have_at_most_500_characters() -> None:
    for body, values in (("x" * 600, {}), ("{{v}}", {"v": "x" * 600}), ("y" * 40_000, {})):
        message = rendered(body, values)
        assert len(message.summary) == len(message.preview) == 500


def test_html_keeps_structure_and_loses_what_runs_or_loads() -> None:
    body = (
        '<p onclick="x()">Hi <b>{{name}}</b></p><script>x()</script>'
        '<img src="http://x/y.png"><iframe src="//x"></iframe>'
        '<a href="javascript:x()">a</a><a href="https://x/">b</a>'
    )
    message = rendered(body, {"name": "<i>Ada</i>"}, template_type=TemplateType.HTML)
    assert message.body == (
        "<p>Hi <b>&lt;i&gt;Ada&lt;/i&gt;</b></p>"
        '<a rel="noopener">a</a><a href="https://x/" rel="noopener">b</a>'
    )
    assert message.summary == "Hi <i>Ada</i>"
    assert message.preview == "Hi <i>Ada</i> ab"


@pytest.mark.parametrize("value", ["javascript:x()", '" onclick="x()', "https://x/"])
def test_a_value_inside_a_tag_is_harmless(value: str) -> None:
    body = '<a href="{{url}}">go</a>'
    html = rendered(body, {"url": value}, template_type=TemplateType.HTML).body
    assert "javascript" not in html
    assert 'onclick="' not in html
    assert ("https://x/" in html) == (value == "https://x/")


def test_rich_text_is_markdown() -> None:
    assert rendered("**b**", template_type=TemplateType.RICH).summary == "b"


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\ue000\ue001"), max_size=60
)
tricky = st.one_of(
    texts,
    st.sampled_from(["{{a}}", "{{ b }}", "{{pii}}", "{{/pii}}", "}}", "{{", "%s", "%(a)s", "\\1"]),
)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
literals = st.lists(tricky, max_size=4).map("".join).filter(lambda text: "{{" not in text)


@given(st.lists(st.tuples(literals, names)), literals, st.dictionaries(names, tricky), st.data())
def test_a_body_is_its_literals_and_its_values_in_turn(
    parts: list[tuple[str, str]], end: str, more: dict[str, str], data: st.DataObject
) -> None:
    values = more | {name: data.draw(tricky) for _, name in parts}
    body = "".join(f"{literal}{{{{{name}}}}}" for literal, name in parts) + end
    # A brace before or after a placeholder is text, but three in a row read otherwise.
    if [found.group(1) for found in PLACEHOLDER.finditer(body)] != [name for _, name in parts]:
        return
    expected = "".join(literal + values[name] for literal, name in parts) + end
    assert rendered(body, values).body == expected


@given(literals)
def test_text_without_placeholders_is_kept(text: str) -> None:
    message = rendered(text, title=text[:200])
    assert (message.title, message.body) == (text[:200], text)


@given(st.lists(st.one_of(tricky, names.map("{{{{{}}}}}".format)), max_size=12).map("".join))
def test_any_source_renders_within_the_limits(source: str) -> None:
    for template_type in (TemplateType.MARKDOWN, TemplateType.HTML):
        message = rendered(source, {"a": "{{a}}"}, template_type=template_type)
        assert len(message.summary) <= 500
        assert len(message.preview) <= 500
        assert "\n" not in message.summary
        assert "\n" not in message.preview


@given(tricky.filter(lambda text: text.strip() and "\n" not in text))
def test_values_reach_the_summary_as_they_are(value: str) -> None:
    expected = " ".join(value.split()) if "\n" in value else value.strip()
    assert rendered("{{v}}", {"v": value}).summary == expected
