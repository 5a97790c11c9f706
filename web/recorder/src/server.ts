// Calls of a Pidgr server with a person's credential.

export interface ServerOptions {
  /** Base URL of the server, such as https://pidgr.example.com. */
  server: string;
  /** Returns the person's access token; it is asked before every call. */
  credential: () => string | Promise<string>;
  /** The organization to act in, for people of several. */
  organizationId?: string;
}

export interface Answer {
  status: number;
  body: Record<string, unknown>;
  /** What the server asks to wait, or null. */
  retryAfterSeconds: number | null;
}

// Browsers let a page that is left send 64 KiB in all.
const MOST_WHEN_LEFT = 60 * 1024;
const TIMEOUT_MILLISECONDS = 30_000;

export class Server {
  readonly #options: ServerOptions;
  #credential = "";

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /**
   * Post JSON. It arrives even if the page is left meanwhile, provided that it is small.
   *
   * `leaving` sends at once, with the credential of the last call: there is no time to wait.
   * Rejects when there is no answer.
   */
  async post(
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
    leaving = false,
  ): Promise<Answer> {
    if (!leaving || !this.#credential) {
      this.#credential = await this.#options.credential();
    }
    // The server may have a path of its own, as behind a proxy with several.
    const url = `${this.#options.server.replace(/\/$/, "")}/${path.replace(/^\//, "")}`;
    const response = await fetch(url, {
      method: "POST",
      body,
      keepalive: body.length <= MOST_WHEN_LEFT,
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
      credentials: "omit",
      headers: {
        authorization: `Bearer ${this.#credential}`,
        "content-type": "application/json",
        ...(this.#options.organizationId ? { "x-org-id": this.#options.organizationId } : {}),
        ...headers,
      },
    });
    const text = await response.text();
    const retryAfter = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
    return {
      status: response.status,
      body: parse(text),
      retryAfterSeconds: Number.isNaN(retryAfter) ? null : retryAfter,
    };
  }
}

/** A proxy in between may answer anything. */
function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
