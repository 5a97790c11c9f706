// Calls of the server as the person who is signed in, in the Connect protocol's JSON.

import { type Answer, Server } from "../../recorder/src/server";
import { BASE, TIMEOUT_MILLISECONDS, UnreachableError } from "./http";
import { SignedOutError, accessToken, current, distrust, forget } from "./session";

type Reply = Pick<Answer, "status" | "body">;

/** The server has refused a call; another attempt would be refused too. */
export class RefusedError extends Error {
  readonly code: string;

  constructor(answer: Reply) {
    super(String(answer.body["message"] ?? `HTTP status ${answer.status}`));
    this.code = String(answer.body["code"] ?? "");
  }
}

const server = new Server({ server: BASE, credential: accessToken });

/**
 * Call an RPC, such as `InboxService/Sync`, or post to a path of the server.
 *
 * Throws RefusedError, SignedOutError or UnreachableError.
 */
export async function call<Result = object>(
  path: string,
  request: object,
  headers: Record<string, string> = {},
): Promise<Result> {
  const target = path.includes("Service/") ? `pidgr.v1.${path}` : path;
  return resultOf(await admitted(() => server.post(target, JSON.stringify(request), headers)));
}

/** Read what is at a path of the server; throws as `call`. */
export async function read<Result>(path: string): Promise<Result> {
  return resultOf(
    await admitted(async () => {
      const headers = { authorization: `Bearer ${await accessToken()}` };
      const signal = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
      const response = await fetch(new URL(path, BASE), { headers, signal });
      const body = (await response.json().catch(() => ({}))) as Record<string, unknown>;
      return { status: response.status, body };
    }),
  );
}

function resultOf<Result>(answer: Reply): Result {
  if (answer.status === 200) {
    return answer.body as Result;
  }
  if (answer.status === 401) {
    forget();
    throw new SignedOutError();
  }
  if (answer.status === 429 || answer.status >= 500) {
    throw new UnreachableError();
  }
  throw new RefusedError(answer);
}

/** Ask, and once more with a new token: clocks go wrong, so this one may have ended unnoticed. */
async function admitted(ask: () => Promise<Reply>): Promise<Reply> {
  const before = current()?.accessToken;
  const answer = await answerTo(ask);
  if (answer.status !== 401) {
    return answer;
  }
  distrust(before);
  return await answerTo(ask);
}

async function answerTo(ask: () => Promise<Reply>): Promise<Reply> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof SignedOutError || error instanceof UnreachableError) {
      throw error;
    }
    // What fetch throws without an answer is of many kinds.
    throw new UnreachableError();
  }
}
