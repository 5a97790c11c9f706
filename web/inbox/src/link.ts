// The short link of a nudge: `?c=CODE&t=TOKEN` leads to the message of a campaign.

import { post } from "./http";

export interface Signpost {
  campaignId: string;
  orgId: string;
  organizationName: string;
  subject: string;
  /** Whom the link was sent to; empty if its token does not tell, or not any more. */
  recipientUserId: string;
}

interface Link {
  code: string;
  token: string;
}

const STORED = "pidgr.link";

/**
 * Take code and token out of the page's address, and keep them for when the person comes back from
 * the sign-in page.
 */
export function noticeLink(parameters: URLSearchParams): void {
  const code = parameters.get("c");
  if (code) {
    const link: Link = { code, token: parameters.get("t") ?? "" };
    sessionStorage.setItem(STORED, JSON.stringify(link));
  }
}

export function forgetLink(): void {
  sessionStorage.removeItem(STORED);
}

/** Return where the link leads; null if there is none, or it leads nowhere. Throws UnreachableError. */
export async function readLink(): Promise<Signpost | null> {
  const stored = sessionStorage.getItem(STORED);
  if (stored === null) {
    return null;
  }
  const { code, token } = JSON.parse(stored) as Link;
  const found = await post("pidgr.v1.CampaignService/GetCampaignByShortCode", { shortCode: code });
  if (!found.ok) {
    return null;
  }
  const signpost = (await found.json()) as Omit<Signpost, "recipientUserId">;
  return { ...signpost, recipientUserId: await recipientOf(token, signpost.campaignId) };
}

async function recipientOf(token: string, campaignId: string): Promise<string> {
  if (!token) {
    return "";
  }
  const request = { token, campaignId };
  const answer = await post("pidgr.v1.TokenService/ValidateDeeplinkToken", request);
  if (!answer.ok) {
    return "";
  }
  const { payload } = (await answer.json()) as { payload?: { recipientUserId?: string } };
  return payload?.recipientUserId ?? "";
}
