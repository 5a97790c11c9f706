// Texts, URLs and rules of style without what is personal in them.

export const MASK = "***";
export const START = "{{pii}}";
export const END = "{{/pii}}";

// To the end of the text where the marker is not closed: the rest may be in another node.
const MARKED = /\{\{pii\}\}[\s\S]*?(?:\{\{\/pii\}\}|$)/g;
// These run, are a page themselves, or say nothing but whom they reach.
const TELLING_SCHEME = /^\s*(?:javascript:|data:text|mailto:|tel:|sms:)/i;
const USER = /^(\s*(?:[a-z][a-z0-9+.-]*:)?\/\/)[^/]*@/i;
const HOST = /^(?:\s*(?:[a-z][a-z0-9+.-]*:)?\/\/[^/]*)?/i;
// Characters of a part of a path; a longer one with a digit is a token or an id.
const LONGEST_NAME = 19;
// A picture that is in the rule itself has no query, though it may have a question mark.
const QUERY_IN_STYLE = /((?:url\(\s*|@import\s+)['"]?(?!data:)[^'"()?\s;]*)\?[^'"()\s;]*/gi;

/** Return a text without what is marked as personal in it. */
export function maskText(text: string): string {
  return text.replace(MARKED, MASK);
}

/** Return what is left of a text outside the markers that begin in it. */
export function withoutMarked(text: string): string {
  return text.replace(MARKED, "");
}

/** Return a URL without what carries tokens and addresses: its query, fragment and user. */
export function stripUrl(url: string): string {
  const bare = url.split(/[?#]/, 1)[0] ?? "";
  return TELLING_SCHEME.test(bare) ? "" : maskText(bare.replace(USER, "$1"));
}

/**
 * Return the URL of a page, also without parts of its path that may be about one person.
 *
 * These are addresses, tokens of invitations, ids. A picture's path is its name, and is kept.
 */
export function stripPageUrl(url: string): string {
  const bare = stripUrl(url);
  const end = HOST.exec(bare)?.[0].length ?? 0;
  const parts = bare.slice(end).split("/");
  return bare.slice(0, end) + parts.map((part) => (tells(part) ? MASK : part)).join("/");
}

function tells(part: string): boolean {
  return part.includes("@") || part.includes("%40") || (part.length > LONGEST_NAME && /[0-9]/.test(part));
}

/** Return rules of style without queries of URLs and without what is marked. */
export function maskStyle(text: string): string {
  return maskText(text).replace(QUERY_IN_STYLE, "$1");
}
