// Requests of the server that carry no credential.

import type { Pause } from "../../recorder/src/sender";

/** There was no answer, or one that another attempt may better. */
export class UnreachableError extends Error {}

/** The server's base URL; the page is at `inbox` under it. */
export const BASE = new URL(".", document.baseURI).href;

/** An answer that takes longer is taken for lost. */
export const TIMEOUT_MILLISECONDS = 30_000;

/** Wait before another attempt; not longer when the browser says that it is online again. */
export async function rest(pause: Pause): Promise<void> {
  const listening = new AbortController();
  const { signal } = listening;
  await Promise.race([
    pause.wait(0),
    new Promise((done) => addEventListener("online", done, { signal })),
  ]);
  listening.abort();
}

/** Post JSON to a path under the server's; throws UnreachableError. */
export async function post(path: string, body: object): Promise<Response> {
  const headers = { "content-type": "application/json" };
  let response: Response;
  try {
    response = await fetch(new URL(path, BASE), {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    });
  } catch {
    throw new UnreachableError();
  }
  if (response.status === 429 || response.status >= 500) {
    throw new UnreachableError();
  }
  return response;
}
