"""What the browser is told while somebody signs in by a provider, in every language."""
# ruff: noqa: RUF001 - Chinese and Japanese have punctuation of their own

from typing import Final

from pidgr.rpc.languages import Rows

ROWS: Final[Rows] = {
    "title": (
        "Sign-in did not work",
        "No se ha podido entrar",
        "Não foi possível entrar",
        "登录未成功",
        "サインインできませんでした",
    ),
    "broken": (
        "This sign-in is over or was begun in another browser. Begin again in your app.",
        "Este acceso ha terminado o empezó en otro navegador. Empieza de nuevo en tu aplicación.",
        "Este acesso terminou ou começou em outro navegador. Recomece no seu aplicativo.",
        "此次登录已结束，或是在另一个浏览器中开始的。请在应用中重新开始。",
        (
            "このサインインは終了したか、別のブラウザーで始められました。"
            "アプリからやり直してください。"
        ),
    ),
    "none": (
        "People of this domain do not sign in this way. Begin again in your app.",
        "Las personas de este dominio no entran así. Empieza de nuevo en tu aplicación.",
        "As pessoas deste domínio não entram assim. Recomece no seu aplicativo.",
        "该域名的用户不使用此方式登录。请在应用中重新开始。",
        "このドメインの方はこの方法ではサインインしません。アプリからやり直してください。",
    ),
    "not_invited": (
        "You are not invited yet. Ask an administrator of your organization.",
        "Todavía no tienes invitación. Pregunta a quien administra tu organización.",
        "Você ainda não foi convidado. Pergunte a quem administra a sua organização.",
        "您尚未受到邀请。请联系组织的管理员。",
        "まだ招待されていません。組織の管理者にお問い合わせください。",
    ),
    "ended": (
        "Your membership was ended. Ask an administrator of your organization.",
        "Tu pertenencia ha terminado. Pregunta a quien administra tu organización.",
        "Sua participação foi encerrada. Pergunte a quem administra a sua organização.",
        "您的成员资格已终止。请联系组织的管理员。",
        "メンバーシップは終了しています。組織の管理者にお問い合わせください。",
    ),
    "other_domain": (
        "Your provider names an address that is not of your organization.",
        "Tu proveedor indica una dirección que no es de tu organización.",
        "Seu provedor informa um endereço que não é da sua organização.",
        "身份提供商给出的邮箱不属于您的组织。",
        "プロバイダーのメールアドレスは組織のものではありません。",
    ),
    "stale": (
        "This needs a new sign-in at your provider, and it tells of none. Begin again in your app.",
        "Hace falta un nuevo acceso en tu proveedor, y no consta. Empieza de nuevo en tu app.",
        "Isto exige um novo acesso no seu provedor, e não consta. Recomece no seu aplicativo.",
        "此操作需要在身份提供商处重新登录，但其未告知有新的登录。请在应用中重新开始。",
        (
            "プロバイダーでの新しいサインインが必要ですが、確認できませんでした。"
            "アプリからやり直してください。"
        ),
    ),
    "go_title": (
        "Sign in with your organization",
        "Entrar con tu organización",
        "Entrar com a sua organização",
        "通过组织登录",
        "組織のアカウントでサインイン",
    ),
    "go": ("Continue", "Continuar", "Continuar", "继续", "続ける"),
    "later": (
        "It does not answer now. Wait a little and try again.",
        "Ahora no responde. Espera un poco y vuelve a intentarlo.",
        "Não responde agora. Espere um pouco e tente de novo.",
        "目前没有响应。请稍候再试。",
        "現在応答がありません。しばらく待ってからもう一度お試しください。",
    ),
}
