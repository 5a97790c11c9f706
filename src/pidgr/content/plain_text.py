"""Plain text of Markdown and HTML, for banners and lists.

A template is reduced once, with its holes in place, instead of every recipient's message: parsing
Markdown costs a few hundred times what filling holes costs.
"""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from pidgr.content.sanitising import INLINE_TAGS

_MARKDOWN: Final = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def markdown_lines(text: str) -> list[str]:
    """Return the lines a reader of the rendered Markdown sees, without any markup.

    A paragraph is one line, whatever the breaks in its source; HTML in it is left out.
    """
    lines: list[str] = []
    for token in _MARKDOWN.parse(text):
        if token.type == "inline":
            lines += "".join(_inline(token.children or [])).split("\n")
        elif token.type in ("fence", "code_block"):
            lines += token.content.split("\n")
    return _tidy(lines)


def html_lines(text: str) -> list[str]:
    """Return the lines a reader of sanitised HTML sees, without any markup."""
    parser = _HtmlText()
    parser.feed(text)
    parser.close()
    return _tidy("".join(parser.pieces).split("\n"))


def _inline(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("text", "code_inline"):
            yield token.content
        elif token.type == "softbreak":
            yield " "
        elif token.type == "hardbreak":
            yield "\n"
        elif token.type == "image":
            yield from _inline(token.children or [])


def _tidy(lines: list[str]) -> list[str]:
    """Drop empty lines and runs of white space, which mean nothing in a banner."""
    tidied = (" ".join(line.split()) for line in lines)
    return [line for line in tidied if line]


class _HtmlText(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag not in INLINE_TAGS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag not in INLINE_TAGS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        self.pieces.append(data.replace("\n", " "))
