"""What the page of a person's passkeys says, in every language of the product."""
# ruff: noqa: RUF001 - Chinese and Japanese have punctuation of their own

from typing import Final

from pidgr.rpc import sign_in_texts
from pidgr.rpc.languages import Rows

ROWS: Final[Rows] = {
    "title": (
        "Your passkeys",
        "Tus llaves de acceso",
        "Suas chaves de acesso",
        "您的通行密钥",
        "あなたのパスキー",
    ),
    "intro": (
        "Sign in to see your passkeys, add one or take one away.",
        "Entra para ver tus llaves de acceso, añadir una o quitarla.",
        "Entre para ver as suas chaves de acesso, adicionar uma ou removê-la.",
        "登录以查看、添加或移除您的通行密钥。",
        "サインインすると、パスキーの確認・追加・削除ができます。",
    ),
    "again": (
        "That took more than five minutes. Sign in again.",
        "Han pasado más de cinco minutos. Entra de nuevo.",
        "Passaram mais de cinco minutos. Entre de novo.",
        "已超过五分钟。请重新登录。",
        "5分を過ぎました。もう一度サインインしてください。",
    ),
    "by_passkey": (
        "An organization of yours accepts no codes. Sign in with a passkey.",
        "Una de tus organizaciones no acepta códigos. Entra con una llave de acceso.",
        "Uma das suas organizações não aceita códigos. Entre com uma chave de acesso.",
        "您的一个组织不接受验证码。请使用通行密钥登录。",
        "コードを受け付けない組織に属しています。パスキーでサインインしてください。",
    ),
    "needed": (
        "Your organization accepts no codes. Add a passkey here to get in.",
        "Tu organización no acepta códigos. Añade aquí una llave de acceso para entrar.",
        "A sua organização não aceita códigos. Adicione aqui uma chave de acesso para entrar.",
        "您的组织不接受验证码。请在此添加通行密钥以进入。",
        "組織はコードを受け付けません。入るには、ここでパスキーを追加してください。",
    ),
    "onward": (
        "Sign in with it at {host}",
        "Entra con ella en {host}",
        "Entre com ela em {host}",
        "使用它登录 {host}",
        "これで {host} にサインイン",
    ),
    "none": (
        "You have no passkey yet.",
        "Todavía no tienes ninguna llave de acceso.",
        "Você ainda não tem nenhuma chave de acesso.",
        "您还没有通行密钥。",
        "パスキーはまだありません。",
    ),
    "used": (
        "last used {time}",
        "último uso: {time}",
        "último uso: {time}",
        "上次使用：{time}",
        "最終使用：{time}",
    ),
    "unused": ("never used", "sin usar", "nunca usada", "从未使用", "未使用"),
    "suspected": (
        "closed: somebody has a copy",
        "cerrada: alguien tiene una copia",
        "fechada: alguém tem uma cópia",
        "已停用：有人持有副本",
        "無効：コピーが存在します",
    ),
    "revoke": ("Remove {name}", "Quitar {name}", "Remover {name}", "移除 {name}", "{name} を削除"),
    "confirm": (
        "Yes, it shall open nothing any more",
        "Sí, que no abra nada más",
        "Sim, que não abra mais nada",
        "是，使其失效",
        "はい、無効にします",
    ),
    "name": (
        "Name of the new passkey, for example of the device",
        "Nombre de la nueva llave, por ejemplo el del dispositivo",
        "Nome da nova chave, por exemplo o do dispositivo",
        "新通行密钥的名称，例如设备名",
        "新しいパスキーの名前（デバイス名など）",
    ),
    "add": (
        "Add a passkey",
        "Añadir una llave de acceso",
        "Adicionar uma chave de acesso",
        "添加通行密钥",
        "パスキーを追加",
    ),
    "added": (
        "{name} is ready.",
        "{name} está lista.",
        "{name} está pronta.",
        "{name} 已就绪。",
        "{name} を使えます。",
    ),
    "revoked": (
        "It opens nothing any more.",
        "Ya no abre nada.",
        "Não abre mais nada.",
        "该密钥已失效。",
        "このパスキーは無効になりました。",
    ),
    "not_made": (
        "No passkey was made. This device may have one already; or try again.",
        "No se ha creado ninguna llave. Quizá este dispositivo ya tiene una; o inténtalo de nuevo.",
        "Nenhuma chave foi criada. Talvez este dispositivo já tenha uma; ou tente de novo.",
        "未创建通行密钥。此设备可能已有一个；或请重试。",
        (
            "パスキーは作成されませんでした。このデバイスにはすでにあるかもしれません。"
            "または、もう一度お試しください。"
        ),
    ),
    "refused": (
        "That was not accepted. Try again.",
        "No se ha aceptado. Inténtalo de nuevo.",
        "Não foi aceito. Tente de novo.",
        "未被接受。请重试。",
        "受け付けられませんでした。もう一度お試しください。",
    ),
    "most": (
        "You have as many passkeys as a person can have. Remove one first.",
        "Tienes tantas llaves como puede tener una persona. Quita una primero.",
        "Você tem tantas chaves quanto uma pessoa pode ter. Remova uma primeiro.",
        "您的通行密钥数量已达上限。请先移除一个。",
        "パスキーの数が上限に達しています。先に1つ削除してください。",
    ),
    "without": (
        "This browser cannot make passkeys here.",
        "Este navegador no puede crear llaves de acceso aquí.",
        "Este navegador não pode criar chaves de acesso aqui.",
        "此浏览器无法在此创建通行密钥。",
        "このブラウザーではここでパスキーを作成できません。",
    ),
    "nameless": (
        "This site has no name that passkeys could be bound to. Ask its operator.",
        "Este sitio no tiene un nombre al que vincular llaves. Pregunta a quien lo administra.",
        "Este site não tem um nome ao qual vincular chaves. Pergunte a quem o administra.",
        "此站点没有可供通行密钥绑定的名称。请联系运营者。",
        "このサイトにはパスキーを結び付ける名前がありません。運営者にお問い合わせください。",
    ),
    "broken": sign_in_texts.ROWS["broken"],
    "later": sign_in_texts.ROWS["later"],
}
