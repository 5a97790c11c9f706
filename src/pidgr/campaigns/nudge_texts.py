"""What a nudge says, in the contract's five languages: a first name, a title and a link."""
# ruff: noqa: RUF001 - Chinese has punctuation of its own

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class _Text:
    greeting: str
    stranger: str
    subject: str
    own: str
    others: str
    link: str


@dataclass(frozen=True, slots=True)
class NudgeText:
    """A nudge in words: what it is about, the hint in a sentence, and the whole with its link.

    Name and title are in one line, and the locale is one there are words in.
    """

    locale: str
    first_name: str
    title: str
    subject: str
    summary: str
    whole: str


_TEXTS: Final = {
    "en": _Text(
        greeting="Hello {name},",
        stranger="Hello,",
        subject="Reminder: {title}",
        own="A message is waiting for you in Pidgr: “{title}”.",
        others="Somebody has not confirmed a message yet, and you are asked to look after it: "
        "“{title}”.",
        link="Open it here:",
    ),
    "es": _Text(
        greeting="Hola, {name}:",
        stranger="Hola:",
        subject="Recordatorio: {title}",
        own="Tienes un mensaje pendiente en Pidgr: «{title}».",
        others="Alguien aún no ha confirmado un mensaje y se te pide que te ocupes: «{title}».",
        link="Ábrelo aquí:",
    ),
    "pt-BR": _Text(
        greeting="Olá, {name}!",
        stranger="Olá!",
        subject="Lembrete: {title}",
        own="Há uma mensagem à sua espera no Pidgr: “{title}”.",
        others="Alguém ainda não confirmou uma mensagem e pedimos que você cuide disso: “{title}”.",
        link="Abra aqui:",
    ),
    "zh": _Text(
        greeting="{name}，您好：",
        stranger="您好：",
        subject="提醒：{title}",
        own="Pidgr 中有一条消息等待您查看：《{title}》。",
        others="有人尚未确认一条消息，请您跟进：《{title}》。",
        link="请在此打开：",
    ),
    "ja": _Text(
        greeting="{name} さん",
        stranger="こんにちは。",
        subject="リマインダー：{title}",
        own="Pidgr に未確認のメッセージがあります：「{title}」",
        others="まだ確認していない人がいるメッセージがあります。ご対応をお願いします：「{title}」",
        link="こちらから開けます。",
    ),
}


def nudge_text(locale: str, first_name: str, title: str, url: str, *, is_own: bool) -> NudgeText:
    """Return a nudge in a locale of the contract, in English for any other.

    Name and title are made one line: they go into a header, and people chose them.

    Args:
        locale: the person's.
        first_name: of who is nudged; may be empty.
        title: of the campaign, as strangers may read it.
        url: of the link.
        is_own: whether the message is theirs; otherwise somebody else has not confirmed it.
    """
    spoken = locale if locale in _TEXTS else "en"
    text = _TEXTS[spoken]
    values = {"name": " ".join(first_name.split()), "title": " ".join(title.split())}
    greeting = (text.greeting if values["name"] else text.stranger).format_map(values)
    summary = (text.own if is_own else text.others).format_map(values)
    return NudgeText(
        locale=spoken,
        first_name=values["name"],
        title=values["title"],
        subject=text.subject.format_map(values),
        summary=summary,
        whole=f"{greeting}\n\n{summary}\n\n{text.link}\n{url}",
    )
