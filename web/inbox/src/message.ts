// A message's body as elements: Markdown or HTML made harmless, personal values marked.

import DOMPurify from "dompurify";
import { marked } from "marked";
import { make } from "./elements";

/** What a body may hold; the server lets HTML templates have the same (content/sanitising.py). */
const ALLOWED_TAGS = [
  ...["a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "dl", "dt", "em"],
  ...["h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "ins", "kbd", "li", "mark", "ol", "p", "pre"],
  ...["q", "s", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th"],
  ...["thead", "tr", "u", "ul"],
];
const ALLOWED_ATTR = ["href", "title", "start", "colspan", "rowspan", "scope"];
/** Attributes that are no addresses. */
const ADD_URI_SAFE_ATTR = ["start", "colspan", "rowspan", "scope"];
const ALLOWED_URI_REGEXP = /^(?:https?|mailto|tel):/i;

// Noncharacters of Unicode stand for the marks meanwhile: Markdown takes no notice of them.
const START = "\uFDD0";
const END = "\uFDD1";
// The contract does not tell bodies of HTML templates from Markdown, which may have tags too.
const HTML = /^\s*<(?:blockquote|dl|h[1-6]|hr|ol|p|pre|table|ul)\b/i;
const MARKS = /[\uFDD0\uFDD1]/g;
const ENCODED_MARKS = /%EF%B7%9[01]/gi;
/** A heading of the body stands under the page's own. */
const LOWER: Record<string, string> = { H1: "h2", H2: "h3", H3: "h4", H4: "h5", H5: "h6" };

/**
 * Return a body.
 *
 * Values between {{pii}} and {{/pii}} are in elements with `data-pii`, and a link whose address has
 * one is of the class `rr-block`: the recorder masks the former and leaves out the latter.
 */
export function render(body: string): DocumentFragment {
  const source = body
    .replace(MARKS, "")
    .replaceAll("{{pii}}", START)
    .replaceAll("{{/pii}}", END);
  const fragment = DOMPurify.sanitize(HTML.test(source) ? source : htmlOf(source), {
    ALLOWED_TAGS,
    ALLOWED_ATTR,
    ADD_URI_SAFE_ATTR,
    ALLOWED_URI_REGEXP,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
  });
  markTexts(fragment);
  fragment.querySelectorAll("*").forEach(unmarkAttributes);
  fragment.querySelectorAll("a").forEach((link) => {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  });
  fragment.querySelectorAll("h1, h2, h3, h4, h5").forEach(lower);
  return fragment;
}

/** Return Markdown as HTML; as it was written if it is nested too deeply to be read. */
function htmlOf(markdown: string): string {
  try {
    return marked.parse(markdown, { async: false });
  } catch (error) {
    if (!(error instanceof RangeError)) {
      throw error;
    }
    return make("pre", {}, markdown).outerHTML;
  }
}

/** Wrap what stands between marks; a value may begin in one element and end in another. */
function markTexts(fragment: DocumentFragment): void {
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  const nodes: Text[] = [];
  while (walker.nextNode()) {
    nodes.push(walker.currentNode as Text);
  }
  let personal = false;
  for (const node of nodes) {
    const pieces = node.data.split(/([\uFDD0\uFDD1])/).flatMap((piece) => {
      if (piece === START || piece === END) {
        personal = piece === START;
        return [];
      }
      return piece === "" ? [] : [personal ? markedText(piece) : piece];
    });
    node.replaceWith(...pieces);
  }
}

function markedText(text: string): HTMLElement {
  const element = document.createElement("span");
  element.dataset["pii"] = "";
  element.textContent = text;
  return element;
}

function unmarkAttributes(element: Element): void {
  for (const { name, value } of [...element.attributes]) {
    const bare = value.replace(MARKS, "").replace(ENCODED_MARKS, "");
    if (bare !== value) {
      element.setAttribute(name, bare);
      element.classList.add("rr-block");
    }
  }
}

function lower(heading: Element): void {
  const lowered = document.createElement(LOWER[heading.tagName] ?? "h6");
  lowered.append(...heading.childNodes);
  heading.replaceWith(lowered);
}
