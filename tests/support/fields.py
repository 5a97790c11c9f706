"""The fields of request messages by their paths.

A path is written as ``workflow.steps[].send_notification.template_id``: a list is followed by
``[]``, a map by ``{}``.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor


def texts(message: Descriptor, prefix: str = "") -> Iterator[str]:
    """Yield the paths of all texts, those in messages of messages too."""
    for field in message.fields:
        path = prefix + field.name
        inner = field.message_type
        if inner is None:
            if field.type == FieldDescriptor.TYPE_STRING:
                yield f"{path}[]" if field.is_repeated else path
        elif inner.GetOptions().map_entry:
            yield f"{path}{{}}"
        elif not inner.full_name.startswith("google."):
            yield from texts(inner, f"{path}[]." if field.is_repeated else f"{path}.")


def values(message: Any, path: str) -> list[str]:
    """Return what a request holds at a path; empty texts are nothing."""
    found: list[str] = []
    for holder, name in _holders(message, path):
        value = getattr(holder, name)
        found += [value] if isinstance(value, str) else value
    return [value for value in found if value]


def put(message: Any, path: str, replacements: Sequence[str]) -> None:
    """Replace what ``values`` returns, one by one."""
    waiting = iter(replacements)
    for holder, name in _holders(message, path):
        value = getattr(holder, name)
        if isinstance(value, str):
            if value:
                setattr(holder, name, next(waiting))
        else:
            value[:] = [next(waiting) for one in value if one]
    assert not list(waiting), path


def _holders(message: Any, path: str) -> Iterator[tuple[Any, str]]:
    head, _, rest = path.partition(".")
    name = head.removesuffix("[]")
    if not rest:
        yield message, name
    elif head != name:
        for one in getattr(message, name):
            yield from _holders(one, rest)
    elif message.HasField(name):
        yield from _holders(getattr(message, name), rest)
