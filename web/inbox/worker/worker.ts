// Shows pushes while the inbox is closed, and opens their messages.

const worker = globalThis as unknown as ServiceWorkerGlobalScope;

/** What the server sends (outreach/web_push.py). */
interface Push {
  title: string;
  body: string;
  /** Empty where the push is about a campaign. */
  delivery_id: string;
  campaign_id: string;
  critical: boolean;
}

worker.addEventListener("push", (event) => {
  event.waitUntil(show(event.data?.json() as Push));
});

worker.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data as string));
});

async function show(push: Push): Promise<void> {
  for (const page of await pages()) {
    page.postMessage({ arrived: push.delivery_id });
  }
  await worker.registration.showNotification(push.title, {
    body: push.body,
    // A push that comes again replaces what is shown.
    tag: push.delivery_id || push.campaign_id,
    requireInteraction: push.critical,
    data: push.delivery_id,
  });
}

async function open(deliveryId: string): Promise<void> {
  const [page] = await pages();
  if (page) {
    page.postMessage({ open: deliveryId });
    await page.focus();
  } else {
    await worker.clients.openWindow(`${worker.registration.scope}#${deliveryId}`);
  }
}

/** Where the inbox is open; other pages of the server are none of ours. */
async function pages(): Promise<WindowClient[]> {
  const all = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.filter((page) => page.url.startsWith(worker.registration.scope));
}
