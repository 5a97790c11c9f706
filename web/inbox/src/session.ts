// Who is signed in: tokens by the server's sign-in page (docs/reference/sign-in.md).
//
// Tabs share one session. A refresh token is good for one use, so tabs take turns, and whoever comes
// second finds what the first one has fetched.

import { BASE, post } from "./http";

export interface Session {
  accessToken: string;
  /** Milliseconds since 1970 by this browser's clock, before which the access token is good. */
  expiresAt: number;
  refreshToken: string;
  /** Names the exchange of the refresh token, from when it is tried until its answer is here. */
  attempt?: string;
  organizationId: string;
  userId: string;
  organizations: { id: string; name: string }[];
}

/** Nobody is signed in, or not any more. */
export class SignedOutError extends Error {}

const SESSION = "pidgr.session";
const VERIFIER = "pidgr.verifier";
/** The message that the person was on the way to, as the address names it. */
const PLACE = "pidgr.place";
/** A token with less than this left is renewed before it is used. */
const MARGIN_MILLISECONDS = 60_000;

export function current(): Session | null {
  const kept = localStorage.getItem(SESSION);
  return kept === null ? null : (JSON.parse(kept) as Session);
}

/**
 * Say once this is not any more who is signed in, or where they act: by another tab, or since this
 * page was left for another one.
 */
export function onChange({ userId, organizationId }: Session, changed: () => void): void {
  const look = () => {
    const now = current();
    if (now?.userId !== userId || now.organizationId !== organizationId) {
      changed();
    }
  };
  addEventListener("storage", look);
  // Pages that are gone back to are as they were, and no event of the storage has reached them.
  addEventListener("pageshow", look);
}

/** Leave for the sign-in page. */
export async function signIn(): Promise<void> {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  sessionStorage.setItem(VERIFIER, verifier);
  sessionStorage.setItem(PLACE, location.hash);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const challenge = base64url(new Uint8Array(digest));
  location.assign(new URL(`sign-in?code_challenge=${challenge}`, BASE));
}

/**
 * Exchange the code that the sign-in page has sent back; false if it is not for this tab, or late.
 *
 * Throws UnreachableError.
 */
export async function arrive(code: string): Promise<boolean> {
  const verifier = sessionStorage.getItem(VERIFIER);
  if (verifier === null) {
    return false;
  }
  const session = await fetchTokens("auth/token", { code, code_verifier: verifier });
  sessionStorage.removeItem(VERIFIER);
  if (session) {
    store(session);
    history.replaceState(null, "", location.pathname + (sessionStorage.getItem(PLACE) ?? ""));
  }
  return session !== null;
}

/**
 * Return a good access token.
 *
 * Throws SignedOutError or UnreachableError.
 */
export async function accessToken(): Promise<string> {
  const kept = current();
  return kept && isFresh(kept) ? kept.accessToken : (await renew()).accessToken;
}

/** The server has refused an access token: whoever needs it next renews it. */
export function distrust(token: string | undefined): void {
  const kept = current();
  // Another call may have renewed it already.
  if (kept && kept.accessToken === token) {
    store({ ...kept, expiresAt: 0 });
  }
}

/**
 * Act in another organization of the person's from now on.
 *
 * Returns false if that wants another way to sign in; throws as `accessToken`.
 */
export async function choose(organizationId: string): Promise<boolean> {
  return await inTurn(async (kept) => {
    // A refused choice leaves the session as it is.
    return (await refresh(kept, { organization_id: organizationId })) !== null;
  });
}

/** Forget the session here, and end it at the server if that can be reached. */
export async function signOut(): Promise<void> {
  const kept = current();
  forget();
  if (kept) {
    await post("auth/sign-out", { refresh_token: kept.refreshToken });
  }
}

export function forget(): void {
  localStorage.removeItem(SESSION);
}

function isFresh(session: Session): boolean {
  return session.expiresAt - Date.now() > MARGIN_MILLISECONDS;
}

function renew(): Promise<Session> {
  return inTurn(async (kept) => {
    if (isFresh(kept)) {
      return kept;
    }
    const renewed = await refresh(kept);
    if (!renewed) {
      forget();
      throw new SignedOutError();
    }
    return renewed;
  });
}

/** Do what uses up the refresh token while no other tab does. */
async function inTurn<Result>(work: (kept: Session) => Promise<Result>): Promise<Result> {
  return await navigator.locks.request(SESSION, async () => {
    const kept = current();
    if (!kept) {
      throw new SignedOutError();
    }
    return await work(kept);
  });
}

/** Fetch what follows a session; null if that is refused, SignedOutError if it ended meanwhile. */
async function refresh(kept: Session, choice: object = {}): Promise<Session | null> {
  // The answer may get lost; under the same attempt there is the same one again.
  const attempt = kept.attempt ?? crypto.randomUUID();
  store({ ...kept, attempt });
  const given = { refresh_token: kept.refreshToken, attempt, ...choice };
  const session = await fetchTokens("auth/refresh", given);
  // Whoever signs out does not wait for their turn.
  if (current()?.refreshToken !== kept.refreshToken) {
    throw new SignedOutError();
  }
  if (session) {
    store(session);
  }
  return session;
}

interface Tokens {
  access_token: string;
  expires_in: number;
  refresh_token: string;
  organization_id: string;
  user_id: string;
  organizations: { id: string; name: string }[];
}

/** Fetch tokens; null if they are refused. */
async function fetchTokens(path: string, body: object): Promise<Session | null> {
  const askedAt = Date.now();
  const response = await post(path, body);
  if (!response.ok) {
    return null;
  }
  const tokens = (await response.json()) as Tokens;
  return {
    accessToken: tokens.access_token,
    expiresAt: askedAt + tokens.expires_in * 1000,
    refreshToken: tokens.refresh_token,
    organizationId: tokens.organization_id,
    userId: tokens.user_id,
    organizations: tokens.organizations,
  };
}

function store(session: Session): void {
  localStorage.setItem(SESSION, JSON.stringify(session));
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
