"""What the sign-in page says, in every language of the product."""
# ruff: noqa: RUF001 - Chinese and Japanese have punctuation of their own

from typing import Final

from pidgr.rpc.languages import Rows

ROWS: Final[Rows] = {
    "title": ("Sign in", "Entrar", "Entrar", "登录", "サインイン"),
    "onward": (
        "You go on to {host} afterwards.",
        "Después continúas en {host}.",
        "Depois você continua em {host}.",
        "之后您将前往 {host}。",
        "このあと {host} に進みます。",
    ),
    "email": ("E-mail address", "Correo electrónico", "E-mail", "电子邮箱", "メールアドレス"),
    "next": ("Continue", "Continuar", "Continuar", "继续", "続ける"),
    "passkey": (
        "Sign in with a passkey",
        "Entrar con una llave de acceso",
        "Entrar com uma chave de acesso",
        "使用通行密钥登录",
        "パスキーでサインイン",
    ),
    "no_passkey": (
        "No passkey of this site was used. Try again, or use your e-mail address.",
        "No se ha usado ninguna llave de acceso de este sitio. Inténtalo de nuevo o usa tu correo.",
        "Nenhuma chave de acesso deste site foi usada. Tente de novo ou use o seu e-mail.",
        "未使用本站点的通行密钥。请重试，或使用电子邮箱。",
        (
            "このサイトのパスキーは使われませんでした。"
            "もう一度試すか、メールアドレスを使ってください。"
        ),
    ),
    "refused": (
        "This passkey was not accepted. Try another one, or use your e-mail address.",
        "Esta llave de acceso no se ha aceptado. Prueba con otra o usa tu correo.",
        "Esta chave de acesso não foi aceita. Tente outra ou use o seu e-mail.",
        "此通行密钥未被接受。请尝试其他密钥，或使用电子邮箱。",
        "このパスキーは受け付けられませんでした。別のものか、メールアドレスを使ってください。",
    ),
    "sent": (
        "If somebody may sign in with this address, a code is on its way.",
        "Si alguien puede entrar con esta dirección, el código está en camino.",
        "Se alguém pode entrar com este endereço, o código está a caminho.",
        "如果该邮箱可以登录，验证码已发出。",
        "このアドレスでサインインできる場合は、コードを送信しました。",
    ),
    "code": (
        "Six-digit code",
        "Código de seis cifras",
        "Código de seis dígitos",
        "六位验证码",
        "6桁のコード",
    ),
    "wrong": (
        "That did not work. Check what you have entered, or start again.",
        "No ha funcionado. Comprueba lo que has escrito o empieza de nuevo.",
        "Não funcionou. Verifique o que você digitou ou recomece.",
        "未成功。请检查您输入的内容，或重新开始。",
        "うまくいきませんでした。入力内容を確認するか、最初からやり直してください。",
    ),
    "by_provider": (
        "People of {domain} sign in with their organization's provider.",
        "Las personas de {domain} entran con el proveedor de su organización.",
        "As pessoas de {domain} entram com o provedor da sua organização.",
        "{domain} 的用户通过其组织的身份提供商登录。",
        "{domain} の方は、組織のプロバイダーでサインインします。",
    ),
    "to_provider": (
        "Continue at the provider",
        "Continuar en el proveedor",
        "Continuar no provedor",
        "前往身份提供商继续",
        "プロバイダーで続ける",
    ),
    "no_provider": (
        (
            "Here you need a code or a passkey, and people of {domain} sign in with their "
            "organization's provider."
        ),
        (
            "Aquí necesitas un código o una llave de acceso, y las personas de {domain} entran con "
            "el proveedor de su organización."
        ),
        (
            "Aqui você precisa de um código ou de uma chave de acesso, e as pessoas de {domain} "
            "entram com o provedor da sua organização."
        ),
        "此处需要验证码或通行密钥，而 {domain} 的用户通过其组织的身份提供商登录。",
        (
            "ここではコードかパスキーが必要ですが、"
            "{domain} の方は組織のプロバイダーでサインインします。"
        ),
    ),
    "code_instead": (
        "I belong to another organization too: send a code",
        "También soy de otra organización: enviar un código",
        "Também sou de outra organização: enviar um código",
        "我还属于其他组织：发送验证码",
        "ほかの組織にも属している：コードを送信",
    ),
    "broken": (
        "This page is not complete or no longer valid. Start again.",
        "Esta página no está completa o ya no es válida. Empieza de nuevo.",
        "Esta página está incompleta ou não vale mais. Recomece.",
        "此页面不完整或已失效。请重新开始。",
        "このページは不完全か、期限切れです。最初からやり直してください。",
    ),
    "later": (
        "That was too often. Wait a little and try again.",
        "Demasiados intentos. Espera un poco y vuelve a intentarlo.",
        "Foram tentativas demais. Espere um pouco e tente de novo.",
        "操作过于频繁。请稍候再试。",
        "回数が多すぎます。しばらく待ってからもう一度お試しください。",
    ),
}
