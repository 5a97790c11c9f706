// Requests of the server that carry no credential.

/** There was no answer, or one that another attempt may better. */
export class UnreachableError extends Error {}

/** The server's base URL; the page is at `inbox` under it. */
export const BASE = new URL(".", document.baseURI).href;

/** Post JSON to a path under the server's; throws UnreachableError. */
export async function post(path: string, body: object): Promise<Response> {
  const headers = { "content-type": "application/json" };
  let response: Response;
  try {
    response = await fetch(new URL(path, BASE), {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
  } catch {
    throw new UnreachableError();
  }
  if (response.status === 429 || response.status >= 500) {
    throw new UnreachableError();
  }
  return response;
}
