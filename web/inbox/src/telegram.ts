// Reminders in Telegram, where the server has a bot (docs/how-to/nudge-people.md).

import { call, read } from "./calls";

export function hasBot(): boolean {
  return "telegram" in document.documentElement.dataset;
}

/** Whether the person gets reminders there; throws as `read`. */
export async function isReminded(): Promise<boolean> {
  const { opened_at } = await read<{ opened_at: number | null }>("telegram/chat");
  return opened_at !== null;
}

/** Lead the person to the bot, where they tap Start; throws as `call`. */
export async function openChat(): Promise<void> {
  const { url } = await call<{ url: string }>("telegram/link", {});
  location.assign(url);
}
