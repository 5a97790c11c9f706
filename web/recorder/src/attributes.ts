// Attributes of nodes: which are kept, and which mask what is inside.

import lists from "../../../src/pidgr/replay/personal.json";
import { mapValues, toObject, type Json } from "./json";
import { MASK, maskStyle, maskText, stripPageUrl, stripUrl } from "./texts";

const DEEPEST = 8;
// `open` or `is-active`, as pages are styled by; names, numbers and addresses are not.
const WORD = /^[a-z-]{0,24}$/;

const maskedTags = new Set(lists.maskedTags);
const maskedAttributes = new Set(lists.maskedAttributes);
const spokenAttributes = new Set(lists.spokenAttributes);
const droppedAttributes = new Set(lists.droppedAttributes);
const urlAttributes = new Set(lists.urlAttributes);
const pageAttributes = new Set(lists.pageAttributes);
const styleAttributes = new Set(lists.styleAttributes);

/** Tell whether the text of an element is masked, and all that is inside. */
export function isMasking(tag: string, attributes: Json): boolean {
  const editable = attributes["contenteditable"];
  return (
    maskedTags.has(tag) ||
    String(attributes["class"] ?? "").split(/\s+/).includes(lists.maskClass) ||
    (attributes["data-pii"] !== undefined && attributes["data-pii"] !== null) ||
    (editable !== undefined && editable !== null && String(editable).toLowerCase() !== "false")
  );
}

/** Return attributes without values; a changed attribute does not tell its element's tag. */
export function maskAttributes(tag: string, attributes: unknown, inside: boolean): Json {
  const kept: Json = {};
  for (const [name, value] of Object.entries(toObject(attributes))) {
    const lowered = name.toLowerCase();
    if (droppedAttributes.has(lowered) || lowered.startsWith("on")) {
      continue;
    }
    if (tag === "meta" && lowered === "content") {
      continue;
    }
    if (maskedAttributes.has(lowered) || (inside && tells(lowered))) {
      kept[name] = value ? MASK : harmless(value, false);
    } else if (typeof value === "string") {
      kept[name] = maskAttribute(lowered, value, inside);
    } else {
      // rrweb has objects for changes of style, and null for an attribute that has gone.
      kept[name] = harmless(value, lowered === "style");
    }
  }
  return kept;
}

function tells(name: string): boolean {
  return spokenAttributes.has(name) || name.startsWith("data-");
}

function maskAttribute(name: string, value: string, inside: boolean): string {
  if (urlAttributes.has(name)) {
    if (inside) {
      // A picture of a person is as good as the name.
      return "";
    }
    return pageAttributes.has(name) ? stripPageUrl(value) : stripUrl(value);
  }
  if (styleAttributes.has(name)) {
    return maskStyle(value);
  }
  return name.startsWith("data-") && !WORD.test(value) ? MASK : maskText(value);
}

/** Return numbers as they are, and texts only where they are rules of style. */
export function harmless(value: unknown, styles: boolean, depth = 0): unknown {
  if (typeof value === "number" || typeof value === "boolean") {
    return value;
  }
  if (typeof value === "string") {
    return styles ? maskStyle(value) : "";
  }
  if (value === null || typeof value !== "object" || depth >= DEEPEST) {
    return null;
  }
  return Array.isArray(value)
    ? value.map((one) => harmless(one, styles, depth + 1))
    : mapValues(value as Json, (one) => harmless(one, styles, depth + 1));
}
