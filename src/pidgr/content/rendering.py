"""From a template and one recipient's values to the message they read (SEMANTICS section 5).

A template is compiled once and then rendered per recipient by filling holes. Inserted values are
text: never looked at again for placeholders, and escaped in HTML.
"""

import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pidgr.content.placeholders import Form, Piece, mark, split, unmark
from pidgr.content.plain_text import html_lines, markdown_lines
from pidgr.content.sanitising import attribute_values, sanitise
from pidgr.contract.v1.template_pb import TemplateType, TemplateVariable, TemplateVariableSource
from pidgr.directory.profile import PROFILE_FIELDS, attributes_from_json

TITLE_LENGTH: Final = 200
SUMMARY_LENGTH: Final = 500
PREVIEW_LENGTH: Final = 500
BODY_LENGTH: Final = 100_000

# Profile values a template can name, in the order ``profile_values`` takes them; any other name is
# looked for among the custom attributes.
PROFILE_COLUMNS: Final = ("email", "name", *PROFILE_FIELDS)

PII_OPEN: Final = "{{pii}}"
PII_CLOSE: Final = "{{/pii}}"
# Of a longer Markdown body only this much is parsed for the summary and the preview: a reader's
# first 500 characters are within it, and hostile Markdown costs its square.
_PARSED_LENGTH: Final = 10_000
# Values have at most 10,000 characters, so no body with fewer holes than this can become much
# longer than its limit; one with more is measured before it is made.
MANY_HOLES: Final = 32
_NO_VALUES: Final[Mapping[str, str]] = {}


class RenderError(Exception):
    """This recipient's message cannot be made; others' may. The text is for the campaign's team."""


class RenderedMessage(NamedTuple):
    """What one recipient reads. A tuple, because a frozen dataclass takes twice as long to make."""

    title: str
    summary: str
    preview: str
    body: str
    content_id: str


class Variable(NamedTuple):
    """A placeholder's variable, with everything settled that is the same for all recipients."""

    name: str
    from_profile: bool
    # What it is without a value of the recipient's own: None fails the render.
    otherwise: str | None
    pii: bool


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template ready for rendering; make one with ``compile_template``."""

    title: Form
    body: Form
    # Lines up to the first that cannot be empty, whatever the values.
    first_lines: tuple[Form, ...]
    preview: Form
    variables: tuple[Variable, ...]
    html: bool
    # Values stand inside tags, where escaping alone does not make a link harmless.
    sanitise_each: bool
    # Whether body values differ from the others: wrapped as personal data, or escaped.
    dresses_values: bool
    # Whether ``render`` needs the recipient's custom attributes.
    needs_custom_attributes: bool


def compile_template(
    title: str,
    body: str,
    variables: Sequence[TemplateVariable],
    *,
    template_type: TemplateType = TemplateType.MARKDOWN,
    step_values: Mapping[str, str] = _NO_VALUES,
) -> CompiledTemplate:
    """Compile a title and a body, of a template or of a translation.

    Args:
        title: the campaign's title or the template's.
        body: the body's source.
        variables: the template's declarations; an undeclared placeholder is optional and CUSTOM.
        template_type: the language of the body. HTML is sanitised.
        step_values: the step's custom_variables, the same for every recipient.
    """
    numbers: dict[str, int] = {}
    title_pieces = split(title, numbers)
    body_pieces = split(body, numbers)
    is_html = template_type == TemplateType.HTML
    sanitise_each = False
    if is_html:
        cleaned = sanitise(mark(body_pieces))
        sanitise_each = any(
            isinstance(piece, int)
            for value in attribute_values(cleaned)
            for piece in unmark(value, len(numbers))
        )
        body_pieces = unmark(cleaned, len(numbers))
        lines = html_lines(cleaned)
    else:
        lines = markdown_lines(mark(_start([body_pieces], _PARSED_LENGTH)))
    plain = [unmark(line, len(numbers)) for line in lines]
    declared = {variable.name: variable for variable in variables}
    settled = tuple(_settle(name, declared.get(name), step_values) for name in numbers)
    return CompiledTemplate(
        title=Form(title_pieces),
        body=Form(body_pieces),
        first_lines=_first_lines(plain),
        preview=Form(_start(plain, PREVIEW_LENGTH)),
        variables=settled,
        html=is_html,
        sanitise_each=sanitise_each,
        dresses_values=is_html or any(variable.pii for variable in settled),
        needs_custom_attributes=any(
            variable.from_profile and variable.name not in PROFILE_COLUMNS for variable in settled
        ),
    )


def is_shared(compiled: CompiledTemplate) -> bool:
    """Tell whether every recipient reads the same, so that one rendering serves all."""
    return not compiled.variables


def profile_values(
    compiled: CompiledTemplate, columns: Sequence[str], custom_attributes: str
) -> Mapping[str, str]:
    """Return what ``render`` takes as a recipient's profile.

    Args:
        compiled: the template; custom attributes are only read when it needs them.
        columns: the member's values of PROFILE_COLUMNS.
        custom_attributes: the member's column of that name, JSON.
    """
    fixed = dict(zip(PROFILE_COLUMNS, columns, strict=True))
    if not compiled.needs_custom_attributes:
        return fixed
    return attributes_from_json(custom_attributes) | fixed


def render(
    compiled: CompiledTemplate,
    own_values: Mapping[str, str] = _NO_VALUES,
    profile: Mapping[str, str] = _NO_VALUES,
) -> RenderedMessage:
    """Return one recipient's message.

    Args:
        compiled: the template.
        own_values: the recipient's variables in the frozen audience.
        profile: the recipient's profile by variable name, see ``profile_values``.

    Raises:
        RenderError: a required variable has no value, or the body is too long.
    """
    # Not list[str | None]: once None is ruled out, mypy would want a second list.
    values: list[Any] = [
        own_values.get(name) or (profile.get(name) if from_profile else None) or otherwise
        for name, from_profile, otherwise, _pii in compiled.variables
    ]
    if None in values:
        raise _missing(compiled, values)
    title = _shortened(compiled.title.fill(values))
    body = _body(compiled, values)
    summary = ""
    for line in compiled.first_lines:
        summary = line.fill(values).strip()
        if summary:
            break
    if "\n" in summary:
        summary = summary.partition("\n")[0].rstrip()
    preview = compiled.preview.fill(values)
    if "\n" in preview:
        preview = " ".join(preview.split())
    return RenderedMessage(
        title,
        summary[:SUMMARY_LENGTH],
        preview[:PREVIEW_LENGTH].strip(),
        body,
        hashlib.sha256(f"{title}\0{body}".encode()).hexdigest(),
    )


def public_title(title: str, variables: Sequence[TemplateVariable]) -> str:
    """Return a title for strangers: placeholders show their default, or "…" where that is personal.

    Args:
        title: the campaign's title or the template's.
        variables: the template's declarations.
    """
    shown = {variable.name: variable.default_value for variable in variables if not variable.pii}
    numbers: dict[str, int] = {}
    form = Form(split(title, numbers))
    return _shortened(form.fill([shown.get(name) or "…" for name in numbers]))


def strip_markers(text: str) -> str:
    """Return a body without the marks around personal data, for channels that mask nothing."""
    return text.replace(PII_OPEN, "").replace(PII_CLOSE, "")


def _shortened(title: str) -> str:
    return title if len(title) <= TITLE_LENGTH else title[: TITLE_LENGTH - 1] + "…"


def _settle(
    name: str, declared: TemplateVariable | None, step_values: Mapping[str, str]
) -> Variable:
    """Fold everything into a variable that is the same for all recipients.

    An empty value counts as none: of a step or a recipient as much as of a profile.
    """
    step_value = step_values.get(name)
    if declared is None:
        return Variable(name, from_profile=False, otherwise=step_value or "", pii=False)
    default = declared.default_value or (None if declared.required else "")
    return Variable(
        name,
        # A step's value goes before the profile.
        from_profile=declared.source == TemplateVariableSource.PROFILE and not step_value,
        otherwise=step_value or default,
        pii=declared.pii,
    )


def _missing(compiled: CompiledTemplate, values: Sequence[str | None]) -> RenderError:
    names = [
        variable.name
        for variable, value in zip(compiled.variables, values, strict=True)
        if value is None
    ]
    return RenderError(f"no value for the required variables: {', '.join(names[:10])}")


def _body(compiled: CompiledTemplate, values: Sequence[str]) -> str:
    if compiled.dresses_values:
        values = [
            _dress(variable, value, is_html=compiled.html)
            for variable, value in zip(compiled.variables, values, strict=True)
        ]
    if compiled.body.holes > MANY_HOLES:
        _check_length(compiled.body.length(values))
    body = compiled.body.fill(values)
    if compiled.sanitise_each:
        body = sanitise(body)
    _check_length(len(body))
    return body


def _check_length(length: int) -> None:
    if length > BODY_LENGTH:
        raise RenderError(f"the body has {length:,} characters; at most {BODY_LENGTH:,}")


def _dress(variable: Variable, value: str, *, is_html: bool) -> str:
    """Return a value as it stands in the body."""
    dressed = html.escape(value) if is_html else value
    if variable.pii and value:
        # A value cannot end its own masking early, and taking marks out can join up new ones.
        while PII_CLOSE in dressed or PII_OPEN in dressed:
            dressed = strip_markers(dressed)
        return f"{PII_OPEN}{dressed}{PII_CLOSE}"
    return dressed


def _first_lines(lines: list[list[Piece]]) -> tuple[Form, ...]:
    found: list[Form] = []
    for line in lines:
        found.append(Form(line))
        if found[-1].literal.strip():
            break
    return tuple(found)


def _start(lines: list[list[Piece]], length: int) -> list[Piece]:
    """Return the lines as one, up to ``length`` characters of what stands there."""
    start: list[Piece] = []
    for line in lines:
        if length <= 0:
            break
        if start:
            start.append(" ")
        for piece in line:
            if isinstance(piece, str):
                start.append(piece[:length])
                length -= len(piece)
            else:
                start.append(piece)
            if length <= 0:
                break
    return start
