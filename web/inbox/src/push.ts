// Notifications of new messages on this device (docs/how-to/deliver-pushes.md).

import { RefusedError, call, read } from "./calls";
import { BASE } from "./http";

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): string };
}

// The page's policy wants somebody to vouch for what runs in the background.
const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
const policy = trustedTypes?.createPolicy("pidgr-worker", { createScriptURL: (url) => url });
const WORKER = BASE + "inbox/worker.js";
const SCOPE = BASE + "inbox";

const SUBSCRIPTION = "pidgr.subscription";
const SUBSCRIPTIONS = "push/web/subscriptions";

export function canNotify(): boolean {
  return "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;
}

/** Whether the person has said yes on this device. */
export async function isNotified(): Promise<boolean> {
  return (await subscriptionHere()) !== null && Notification.permission === "granted";
}

/**
 * Ask the person and sign this browser up for whoever is signed in, anew if it is already.
 *
 * Returns false if the person, or the browser, does not want it; throws as `call`.
 */
export async function notify(): Promise<boolean> {
  if ((await Notification.requestPermission()) !== "granted") {
    return false;
  }
  const key = await publicKey();
  const subscription = await subscribe(key).catch((error: unknown) => {
    console.warn(error);
    return null;
  });
  if (!subscription) {
    return false;
  }
  const body = { subscription: subscription.toJSON() };
  const { id } = await call<{ id: string }>(SUBSCRIPTIONS, body);
  localStorage.setItem(SUBSCRIPTION, id);
  return true;
}

/** Sign this browser off, so that whoever comes next is asked; throws as `call`. */
export async function stopNotifying(): Promise<void> {
  const shown = (await registered())?.getNotifications();
  (await shown)?.forEach((notification) => notification.close());
  await (await subscriptionHere())?.unsubscribe();
  const id = localStorage.getItem(SUBSCRIPTION);
  localStorage.removeItem(SUBSCRIPTION);
  if (id) {
    await call(`${SUBSCRIPTIONS}/remove`, { id }).catch((error: unknown) => {
      // The server has forgotten it already.
      if (!(error instanceof RefusedError)) {
        throw error;
      }
    });
  }
}

async function subscriptionHere(): Promise<PushSubscription | null> {
  return (await (await registered())?.pushManager?.getSubscription()) ?? null;
}

/** Some browsers have no workers in private windows. */
async function registered(): Promise<ServiceWorkerRegistration | undefined> {
  return await navigator.serviceWorker?.getRegistration(SCOPE);
}

async function subscribe(applicationServerKey: string): Promise<PushSubscription> {
  const url = policy?.createScriptURL(WORKER) ?? WORKER;
  await navigator.serviceWorker.register(url, { scope: SCOPE });
  const { pushManager } = await navigator.serviceWorker.ready;
  const options = { userVisibleOnly: true, applicationServerKey };
  try {
    return await pushManager.subscribe(options);
  } catch (error) {
    // The server has another key than when this browser subscribed.
    const old = await pushManager.getSubscription();
    if (!old) {
      throw error;
    }
    await old.unsubscribe();
    return await pushManager.subscribe(options);
  }
}

async function publicKey(): Promise<string> {
  return (await read<{ public_key: string }>("push/web/key")).public_key;
}
