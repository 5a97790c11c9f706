// What the inbox says, in every language of the product.

type Row = readonly [en: string, es: string, ptBr: string, zh: string, ja: string];

const LANGUAGES = ["en", "es", "pt-BR", "zh", "ja"];

const ROWS = {
  inbox: ["Inbox", "Bandeja de entrada", "Caixa de entrada", "收件箱", "受信箱"],
  signIn: ["Sign in", "Acceder", "Acessar", "登录", "サインイン"],
  signOut: ["Sign out", "Salir", "Sair", "退出登录", "サインアウト"],
  welcome: [
    "Sign in to read your messages.",
    "Accede para leer tus mensajes.",
    "Acesse para ler suas mensagens.",
    "请登录以阅读您的消息。",
    "サインインしてメッセージをお読みください。",
  ],
  waiting: [
    "A message from {organization} waits for you:",
    "Te espera un mensaje de {organization}:",
    "Há uma mensagem de {organization} para você:",
    "{organization} 给您发来一条消息：",
    "{organization} からのメッセージがあります：",
  ],
  signInAgain: [
    "That sign-in did not work. Please sign in again.",
    "No se pudo acceder. Inténtalo de nuevo.",
    "Não foi possível acessar. Tente de novo.",
    "登录未成功，请重新登录。",
    "サインインできませんでした。もう一度お試しください。",
  ],
  ended: [
    "Your session has ended. Please sign in again.",
    "Tu sesión ha terminado. Accede de nuevo.",
    "Sua sessão terminou. Acesse de novo.",
    "您的会话已结束，请重新登录。",
    "セッションが終了しました。もう一度サインインしてください。",
  ],
  insecure: [
    "This page works over https only. Please tell your administrator.",
    "Esta página solo funciona con https. Avisa a tu administrador.",
    "Esta página só funciona com https. Avise o administrador.",
    "此页面只能通过 https 使用，请告知您的管理员。",
    "このページは https でのみ利用できます。管理者にお知らせください。",
  ],
  nowhere: [
    "You do not belong to an organization here yet.",
    "Todavía no perteneces a ninguna organización aquí.",
    "Você ainda não pertence a nenhuma organização aqui.",
    "您尚未加入任何组织。",
    "まだどの組織にも所属していません。",
  ],
  forbidden: [
    "Your role has no inbox in this organization.",
    "Tu rol no tiene bandeja en esta organización.",
    "Seu papel não tem caixa de entrada nesta organização.",
    "您的角色在此组织中没有收件箱。",
    "この組織では、あなたのロールに受信箱がありません。",
  ],
  otherSignIn: [
    "That organization wants you to sign in another way. Sign out first.",
    "Esa organización pide otra forma de acceso. Sal primero.",
    "Essa organização exige outra forma de acesso. Saia primeiro.",
    "该组织要求使用其他登录方式，请先退出登录。",
    "その組織では別の方法でのサインインが必要です。先にサインアウトしてください。",
  ],
  organization: ["Organization", "Organización", "Organização", "组织", "組織"],
  loading: ["Loading…", "Cargando…", "Carregando…", "正在加载…", "読み込み中…"],
  empty: [
    "No messages yet.",
    "Todavía no hay mensajes.",
    "Ainda não há mensagens.",
    "暂无消息。",
    "メッセージはまだありません。",
  ],
  unread: ["Unread", "No leído", "Não lida", "未读", "未読"],
  open: ["To confirm", "Por confirmar", "A confirmar", "待确认", "未確認"],
  confirmed: ["Confirmed", "Confirmado", "Confirmada", "已确认", "確認済み"],
  onTheWay: ["Being sent", "Enviándose", "Sendo enviada", "正在发送", "送信中"],
  missed: [
    "The deadline has passed",
    "El plazo ha vencido",
    "O prazo terminou",
    "已过截止时间",
    "期限切れ",
  ],
  critical: ["Important", "Importante", "Importante", "重要", "重要"],
  copy: [
    "A copy for you: {name} has been reminded of this message.",
    "Una copia para ti: a {name} se le ha recordado este mensaje.",
    "Uma cópia para você: {name} recebeu um lembrete desta mensagem.",
    "抄送给您：已就此消息提醒 {name}。",
    "写し：このメッセージについて {name} さんに再通知しました。",
  ],
  youConfirmed: [
    "You have confirmed this message.",
    "Has confirmado este mensaje.",
    "Você confirmou esta mensagem.",
    "您已确认此消息。",
    "このメッセージを確認しました。",
  ],
  sending: [
    "Your confirmation is on its way. It is sent again until the server has it.",
    "Tu confirmación está en camino. Se enviará hasta que el servidor la reciba.",
    "Sua confirmação está a caminho. Será enviada até o servidor recebê-la.",
    "正在发送您的确认，将重复发送直至服务器收到。",
    "確認を送信しています。サーバーに届くまで送信を繰り返します。",
  ],
  refused: [
    "This message can no longer be confirmed.",
    "Este mensaje ya no se puede confirmar.",
    "Esta mensagem não pode mais ser confirmada.",
    "此消息已无法确认。",
    "このメッセージはもう確認できません。",
  ],
  away: [
    "The server cannot be reached. Trying again…",
    "No se puede contactar con el servidor. Reintentando…",
    "Não é possível contatar o servidor. Tentando de novo…",
    "无法连接服务器，正在重试…",
    "サーバーに接続できません。再試行しています…",
  ],
  back: ["Back to the inbox", "Volver a la bandeja", "Voltar à caixa", "返回收件箱", "受信箱に戻る"],
  gone: [
    "There is no such message in your inbox.",
    "Ese mensaje no está en tu bandeja.",
    "Essa mensagem não está na sua caixa.",
    "您的收件箱中没有此消息。",
    "そのメッセージは受信箱にありません。",
  ],
  notYours: [
    "This link was sent to somebody else.",
    "Este enlace se envió a otra persona.",
    "Este link foi enviado a outra pessoa.",
    "此链接是发给其他人的。",
    "このリンクは別の人に送られたものです。",
  ],
  notify: [
    "Notify me on this device",
    "Avisarme en este dispositivo",
    "Avisar-me neste dispositivo",
    "在此设备上通知我",
    "この端末に通知する",
  ],
  notifying: [
    "New messages are announced on this device.",
    "Los mensajes nuevos se anuncian en este dispositivo.",
    "As novas mensagens são anunciadas neste dispositivo.",
    "新消息将在此设备上通知。",
    "新しいメッセージをこの端末に通知します。",
  ],
  notNotified: [
    "This browser does not allow notifications here.",
    "Este navegador no permite notificaciones aquí.",
    "Este navegador não permite notificações aqui.",
    "此浏览器不允许通知。",
    "このブラウザーでは通知が許可されていません。",
  ],
  telegram: [
    "Remind me in Telegram",
    "Recordármelo en Telegram",
    "Lembrar-me no Telegram",
    "在 Telegram 中提醒我",
    "Telegram でリマインドを受け取る",
  ],
} as const satisfies Record<string, Row>;

export type TextName = keyof typeof ROWS;

/** The server has chosen the page's language by what the browser asks for. */
const column = Math.max(0, LANGUAGES.indexOf(document.documentElement.lang));

/** Return a text in the page's language; `values` stand for the names in braces. */
export function text(name: TextName, values: Record<string, string> = {}): string {
  const row: Row = ROWS[name];
  return (row[column] ?? row[0]).replace(/\{(\w+)\}/g, (_, key: string) => values[key] ?? "");
}

/** Return a moment as the page's language writes it. */
export function moment(iso: string): string {
  const format = { dateStyle: "medium", timeStyle: "short" } as const;
  return new Intl.DateTimeFormat(document.documentElement.lang, format).format(new Date(iso));
}
