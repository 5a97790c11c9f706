"""What the mail about a passkey says, in the contract's five languages."""
# ruff: noqa: RUF001 - Chinese and Japanese have punctuation of their own

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Change(Enum):
    """What has become of a passkey."""

    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class _Text:
    subject: dict[Change, str]
    body: dict[Change, str]
    advice: str


_TEXTS: Final = {
    "en": _Text(
        subject={Change.ADDED: "A new passkey", Change.REMOVED: "A passkey was removed"},
        body={
            Change.ADDED: "A passkey was added for you in Pidgr ({moment}). It opens every "
            "organization of yours that accepts passkeys.",
            Change.REMOVED: "A passkey of yours was removed in Pidgr ({moment}). It opens nothing "
            "any more.",
        },
        advice="If that was not you, see which passkeys you have, remove those you do not know, "
        "and tell an administrator of your organization:\n{url}\n",
    ),
    "es": _Text(
        subject={
            Change.ADDED: "Una nueva llave de acceso",
            Change.REMOVED: "Se ha quitado una llave de acceso",
        },
        body={
            Change.ADDED: "Se ha añadido una llave de acceso para ti en Pidgr ({moment}). Abre "
            "todas tus organizaciones que aceptan llaves de acceso.",
            Change.REMOVED: "Se ha quitado una de tus llaves de acceso en Pidgr ({moment}). Ya no "
            "abre nada.",
        },
        advice="Si no has sido tú, mira qué llaves tienes, quita las que no conozcas y avisa a "
        "quien administra tu organización:\n{url}\n",
    ),
    "pt-BR": _Text(
        subject={
            Change.ADDED: "Uma nova chave de acesso",
            Change.REMOVED: "Uma chave de acesso foi removida",
        },
        body={
            Change.ADDED: "Uma chave de acesso foi adicionada para você no Pidgr ({moment}). Ela "
            "abre todas as suas organizações que aceitam chaves de acesso.",
            Change.REMOVED: "Uma das suas chaves de acesso foi removida no Pidgr ({moment}). Ela "
            "não abre mais nada.",
        },
        advice="Se não foi você, veja quais chaves você tem, remova as que não conhece e avise "
        "quem administra a sua organização:\n{url}\n",
    ),
    "zh": _Text(
        subject={Change.ADDED: "新的通行密钥", Change.REMOVED: "通行密钥已移除"},
        body={
            Change.ADDED: "您的 Pidgr 已添加一个通行密钥（{moment}）。"
            "它可以进入您所有接受通行密钥的组织。",
            Change.REMOVED: "您的一个 Pidgr 通行密钥已被移除（{moment}）。它已失效。",
        },
        advice="如果这不是您本人的操作，请查看您的通行密钥，移除不认识的，"
        "并告知您组织的管理员：\n{url}\n",
    ),
    "ja": _Text(
        subject={
            Change.ADDED: "新しいパスキー",
            Change.REMOVED: "パスキーが削除されました",
        },
        body={
            Change.ADDED: "Pidgr にあなたのパスキーが追加されました（{moment}）。"
            "パスキーを受け付けるすべての所属組織に入れます。",
            Change.REMOVED: "Pidgr のあなたのパスキーが削除されました（{moment}）。"
            "このパスキーは無効です。",
        },
        advice="心当たりがない場合は、パスキーの一覧を確認し、見覚えのないものを削除して、"
        "組織の管理者に知らせてください：\n{url}\n",
    ),
}


def passkey_text(change: Change, locale: str, moment: str, url: str) -> tuple[str, str]:
    """Return subject and text in a locale of the contract, in English for any other."""
    text = _TEXTS.get(locale, _TEXTS["en"])
    body = text.body[change].format(moment=moment)
    return text.subject[change], f"{body}\n\n{text.advice.format(url=url)}"
