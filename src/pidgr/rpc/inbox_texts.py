"""What the page around the inbox says, in every language of the product.

The inbox itself has its texts with it (``web/inbox/src/texts.ts``).
"""
# ruff: noqa: RUF001 - Chinese and Japanese have punctuation of their own

from typing import Final

from pidgr.rpc import sign_in_texts
from pidgr.rpc.languages import Rows

ROWS: Final[Rows] = {
    "title": ("Inbox", "Bandeja de entrada", "Caixa de entrada", "收件箱", "受信箱"),
    "script": (
        "Your inbox needs JavaScript, which is switched off in this browser.",
        "Tu bandeja necesita JavaScript, que está desactivado en este navegador.",
        "Sua caixa precisa de JavaScript, que está desativado neste navegador.",
        "收件箱需要 JavaScript，但此浏览器已将其关闭。",
        "受信箱には JavaScript が必要ですが、このブラウザーでは無効になっています。",
    ),
    "missing": (
        "This server was installed without its inbox. Whoever runs it adds it by {command}.",
        "Este servidor se instaló sin su bandeja. Quien lo administra la añade con {command}.",
        "Este servidor foi instalado sem a caixa. Quem o administra a adiciona com {command}.",
        "此服务器安装时未包含收件箱，管理员可通过 {command} 添加。",
        "このサーバーには受信箱が含まれていません。管理者は {command} で追加できます。",
    ),
    "later": sign_in_texts.ROWS["later"],
}
