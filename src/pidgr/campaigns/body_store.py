"""SQL of messages of one's own, which PostgreSQL can render itself.

What ``content.rendering.render`` makes of plain Markdown is string concatenation, and the values
are in the database: rendered there they do not travel to Python and back, which took half of the
time of a fan-out (docs/decisions/0029).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from pidgr.campaigns.run_store import JOIN_MEMBER, batch_statement
from pidgr.content.placeholders import Piece
from pidgr.content.rendering import (
    BODY_LENGTH,
    MANY_HOLES,
    PII_CLOSE,
    PII_OPEN,
    PREVIEW_LENGTH,
    PROFILE_COLUMNS,
    SUMMARY_LENGTH,
    TITLE_LENGTH,
    CompiledTemplate,
    RenderedMessage,
    Variable,
)
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Row, Transaction

_COLUMNS: Final = (
    "step_run_key",
    "ordinal",
    *RenderedMessage._fields,
)
# A summary is the first line that is not empty; of lines beyond this, Python finds it.
_MOST_LINES: Final = 8
# What Python's str.strip takes away.
_SPACE: Final = "".join(filter(str.isspace, map(chr, range(0x3001))))

_RECIPIENTS: Final = f"""
    select a.ordinal, a.variables, m.preferred_locale, m.custom_attributes {{columns}}
    from audience a {JOIN_MEMBER}
    where a.campaign_key = :campaign_key and a.ordinal >= :since and a.ordinal < :upto
    {{which}} order by a.ordinal
"""
_BATCH: Final = """
    from audience a
    where a.campaign_key = :campaign_key and a.ordinal >= :since and a.ordinal < :upto
"""
# One walk of the index with all members of a batch; a full join is never done by nested loops (see
# docs/decisions/0008). A member's record may be gone; "is not null" would make it another join.
_BATCH_WITH_MEMBERS: Final = f"""
    from (select a.ordinal, a.member_key, a.variables {_BATCH}) a
    full join (select * from member where key = any(array(select a.member_key {_BATCH}))) m
      on m.key = a.member_key
    where coalesce(m.key, 0) > 0
"""
_WITHOUT_BODY: Final = """
    and not exists (select 1 from delivery_body b
                    where b.step_run_key = :step_run_key and b.ordinal = a.ordinal)
"""


class Recipients(NamedTuple):
    """Statements that return ordinal, variables, preferred locale, custom attributes and columns.

    ``all`` are a batch's, ``left`` those whose message ``render_bodies`` has left out. Parameters:
    campaign_key, since and upto, and step_run_key of ``left``.
    """

    all: Statement
    left: Statement


class BodyInsert(NamedTuple):
    """A statement that renders a batch, and the parameters that are the same for every batch."""

    statement: Statement
    literals: Mapping[str, str]


def recipients(columns: Iterable[str]) -> Recipients:
    """Return what reads recipients with some of PROFILE_COLUMNS, which take time to read."""
    chosen = "".join(f", m.{column}" for column in columns)
    return Recipients(
        *(
            batch_statement(_RECIPIENTS.format(columns=chosen, which=which))
            for which in ("", _WITHOUT_BODY)
        )
    )


def insert_bodies(transaction: Transaction, rows: Iterable[Row]) -> None:
    """Keep messages rendered by Python."""
    transaction.bulk_insert("delivery_body", _COLUMNS, rows)


def render_bodies(
    transaction: Transaction, insert: BodyInsert, step_run_key: int, batch: Mapping[str, int]
) -> int:
    """Render and keep the messages of a batch; returns of how many people.

    The others are left to ``render``: who lacks a required value, whose title or body may be too
    long, whose values have line breaks in the preview or marks of personal data.

    Args:
        transaction: of the batch.
        insert: from ``body_insert``.
        step_run_key: whose deliveries they are.
        batch: campaign_key, since and upto.
    """
    return transaction.execute(
        insert.statement, {**insert.literals, **batch, "step_run_key": step_run_key}
    )


def body_insert(texts: Mapping[str, CompiledTemplate], any_locale: str) -> BodyInsert | None:
    """Return what renders a step's texts, by preferred locale; None where only Python can.

    It makes exactly what ``render`` makes (a property test compares them).
    """
    # Variables are settled alike in all texts, but each text numbers them anew.
    variables = {v.name: v for compiled in texts.values() for v in compiled.variables}
    if not variables or not all(map(_is_plain, texts.values())):
        return None
    sql = _Expressions({name: f"v{number}" for number, name in enumerate(variables)})
    columns = {
        f"v{number}": sql.value(variable) for number, variable in enumerate(variables.values())
    }
    fits = [
        f"strpos(v.{column}, {sql.literal(mark)}) = 0"
        for column, variable in zip(columns, variables.values(), strict=True)
        if variable.pii
        for mark in (PII_OPEN, PII_CLOSE)
    ]
    fits += [f"v.{column} is not null" for column in columns]

    def choose(make: Callable[[CompiledTemplate], str]) -> str:
        others = [locale for locale in texts if locale != any_locale]
        cases = [
            f"when v.preferred_locale = {sql.literal(locale)} then {make(texts[locale])}"
            for locale in others
        ]
        otherwise = make(texts[any_locale])
        return f"case {' '.join(cases)} else {otherwise} end" if cases else otherwise

    statement = Statement(f"""
        insert into delivery_body ({", ".join(_COLUMNS)})
        select :step_run_key, r.ordinal, r.title,
               left(r.summary, {SUMMARY_LENGTH}),
               {_shortened_preview(texts, sql.space)}, r.body,
               encode(sha256(convert_to(r.title, 'UTF8') || '\\x00'::bytea
                             || convert_to(r.body, 'UTF8')), 'hex')
        from (
          select v.ordinal, {choose(sql.title)} as title, {choose(sql.summary)} as summary,
                 {choose(sql.preview)} as preview, {choose(sql.body)} as body
          from (
            select a.ordinal, m.preferred_locale,
                   {", ".join(f"{made} as {column}" for column, made in columns.items())}
            {_BATCH_WITH_MEMBERS}
            offset 0
          ) v
          where {" and ".join(fits)}
          offset 0
        ) r
        where length(r.title) <= {TITLE_LENGTH} and octet_length(r.body) <= {BODY_LENGTH}
          and strpos(r.summary, E'\\n') = 0 and strpos(r.preview, E'\\n') = 0
        order by r.ordinal
    """)
    return BodyInsert(statement, sql.literals)


def _is_plain(compiled: CompiledTemplate) -> bool:
    """Tell whether a message is no more than literals and values."""
    return (
        not compiled.html
        and compiled.body.holes <= MANY_HOLES
        and len(compiled.first_lines) <= _MOST_LINES
    )


def _shortened_preview(texts: Mapping[str, CompiledTemplate], space: str) -> str:
    """Return a preview's start without the spaces around it.

    Looking for spaces takes a quarter of the whole statement, so it does not where there are none.
    """
    trimmed = f"btrim(left(r.preview, {PREVIEW_LENGTH}), {space})"
    if not all(_has_firm_ends(compiled.preview.pieces) for compiled in texts.values()):
        return trimmed
    return (
        f"case when octet_length(r.preview) <= {PREVIEW_LENGTH} then r.preview else {trimmed} end"
    )


def _has_firm_ends(pieces: Sequence[Piece]) -> bool:
    """Tell whether a text neither begins nor ends with a space, whatever the values."""
    if not pieces:
        return True
    first, last = pieces[0], pieces[-1]
    if not isinstance(first, str) or not isinstance(last, str):
        return False
    return not any(map(str.isspace, (first[:1], last[-1:])))


class _Expressions:
    """Makes SQL expressions of a template's parts, and collects their literals as parameters."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self.literals: Final[dict[str, str]] = {}
        self.space: Final = self.literal(_SPACE)

    def literal(self, text: str) -> str:
        name = f"literal{len(self.literals)}"
        self.literals[name] = text
        return f":{name}::text"

    def value(self, variable: Variable) -> str:
        """Return a recipient's value as ``render`` chooses it."""
        name = self.literal(variable.name)
        sources = [f"nullif(a.variables::json ->> {name}, '')"]
        if variable.from_profile and variable.name in PROFILE_COLUMNS:
            sources.append(f"nullif(m.{variable.name}, '')")
        elif variable.from_profile:
            sources.append(f"nullif(m.custom_attributes::json ->> {name}, '')")
        if variable.otherwise is not None:
            sources.append(self.literal(variable.otherwise))
        return f"coalesce({', '.join(sources)})"

    def title(self, compiled: CompiledTemplate) -> str:
        return self._fill(compiled, compiled.title.pieces)

    def summary(self, compiled: CompiledTemplate) -> str:
        lines = [
            f"nullif(btrim({self._fill(compiled, line.pieces)}, {self.space}), '')"
            for line in compiled.first_lines
        ]
        return f"coalesce({', '.join(lines)}, '')" if lines else "''"

    def preview(self, compiled: CompiledTemplate) -> str:
        return self._fill(compiled, compiled.preview.pieces)

    def body(self, compiled: CompiledTemplate) -> str:
        return self._fill(compiled, compiled.body.pieces, dressed=True)

    def _fill(
        self, compiled: CompiledTemplate, pieces: Sequence[Piece], *, dressed: bool = False
    ) -> str:
        parts = [
            self.literal(piece)
            if isinstance(piece, str)
            else self._hole(compiled.variables[piece], dressed=dressed)
            for piece in pieces
        ]
        return f"concat({', '.join(parts)})" if parts else "''"

    def _hole(self, variable: Variable, *, dressed: bool) -> str:
        column = f"v.{self._columns[variable.name]}"
        if not (dressed and variable.pii):
            return column
        return (
            f"case when {column} = '' then ''"
            f" else concat({self.literal(PII_OPEN)}, {column}, {self.literal(PII_CLOSE)}) end"
        )
