"""What the page of a short link says, in every language of the product."""

from typing import Final

from pidgr.rpc import sign_in_texts
from pidgr.rpc.languages import Rows

ROWS: Final[Rows] = {
    "title": (
        "A message for you",
        "Un mensaje para ti",
        "Uma mensagem para você",
        "您有一条消息",
        "メッセージがあります",
    ),
    "broken": (
        "This link leads nowhere, or not any more.",
        "Este enlace no lleva a ninguna parte, o ya no.",
        "Este link não leva a lugar nenhum, ou deixou de levar.",
        "此链接无效或已失效。",
        "このリンクは無効か、期限が切れています。",
    ),
    "later": sign_in_texts.ROWS["later"],
}
