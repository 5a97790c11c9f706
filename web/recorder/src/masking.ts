// Takes everything personal out of rrweb events before they leave the browser.
//
// The rules are those of src/pidgr/replay/masking.py, which masks again: a test holds one against
// the other.

import { harmless, isMasking, maskAttributes } from "./attributes";
import { isObject, mapValues, toObject, toObjects, type Json } from "./json";
import { documentOrder } from "./order";
import type { PageTree } from "./pageTree";
import { END, MASK, START, maskStyle, maskText, stripPageUrl, withoutMarked } from "./texts";

export interface RecordedEvent extends Json {
  type: number;
  data: Json;
  timestamp: number;
}

const enum Kind {
  DomContentLoaded = 0,
  Load = 1,
  FullSnapshot = 2,
  Increment = 3,
  Meta = 4,
}

const MUTATION = 0;
const INPUT = 5;
const STYLES = new Set([8, 13, 15]);
const SOURCES = new Set([0, 1, 2, 3, 4, 5, 6, 8, 12, 13, 14, 15]);
const ELEMENT = 2;
const TEXT = 3;
const CDATA = 4;
const COMMENT = 5;
const NODE_NUMBERS = ["type", "id", "rootId", "isSVG", "isShadow", "isShadowHost", "needBlock"];


/**
 * Return what may leave of an event, or null.
 *
 * `page` is what is known of the page so far; it is brought up to date.
 */
export function maskEvent(event: RecordedEvent, page: PageTree): RecordedEvent | null {
  const data = cleaned(event, page);
  return data && { type: event.type, data, timestamp: event.timestamp };
}

function cleaned({ type, data }: RecordedEvent, page: PageTree): Json | null {
  switch (type) {
    case Kind.DomContentLoaded:
    case Kind.Load:
      return {};
    case Kind.Meta:
      return {
        href: stripPageUrl(String(data["href"] ?? "")),
        width: toNumber(data["width"]),
        height: toNumber(data["height"]),
      };
    case Kind.FullSnapshot: {
      page.clear();
      const walk = new Walk(page);
      const node = walk.tree(data["node"], null);
      walk.finish();
      const offset = toObject(data["initialOffset"]);
      const initialOffset = { top: toNumber(offset["top"]), left: toNumber(offset["left"]) };
      return node && { node, initialOffset };
    }
    case Kind.Increment:
      return maskIncrement(data, page);
    default:
      return null;
  }
}

function maskIncrement(data: Json, page: PageTree): Json | null {
  const source = data["source"];
  if (typeof source !== "number" || !SOURCES.has(source)) {
    return null;
  }
  if (source === INPUT) {
    return { source, text: data["text"] ? MASK : "", isChecked: false, id: idOf(data) };
  }
  if (source === MUTATION) {
    return maskMutation(data, page);
  }
  return mapValues(data, (value) => harmless(value, STYLES.has(source)));
}

/** Go through what changes in the order in which a player does; texts come last. */
function maskMutation(data: Json, page: PageTree): Json {
  const removes = toObjects(data["removes"]).map((one) => pick(one, ["parentId", "id", "isShadow"]));
  for (const one of removes) {
    page.takeOut(reference(one["id"]), reference(one["parentId"]));
  }
  const adds = maskAdds(toObjects(data["adds"]), page);
  // What was moved is among the new nodes.
  const added = new Set(adds.map((add) => idOf(toObject(add["node"]))));
  page.forgetBelow(removes.map(idOf).filter((id) => !added.has(id)));
  const attributes = maskChangedAttributes(toObjects(data["attributes"]), page);
  const texts = toObjects(data["texts"]).map((one) => ({
    id: idOf(one),
    value: changedText(one, page),
  }));
  return { source: MUTATION, texts, attributes, removes, adds };
}

function maskChangedAttributes(changes: Json[], page: PageTree): Json[] {
  for (const one of changes) {
    if (isMasking("", toObject(one["attributes"]))) {
      page.maskBelow(idOf(one));
    }
  }
  return changes.map((one) => ({
    id: idOf(one),
    attributes: maskAttributes("", one["attributes"], page.masked.has(idOf(one))),
  }));
}

function maskAdds(adds: Json[], page: PageTree): Json[] {
  const places = adds.map((add) => ({
    node: idOf(toObject(add["node"])),
    parent: reference(add["parentId"]),
    following: reference(add["nextId"]),
  }));
  const nodes = new Map<number, Json>();
  for (const order of documentOrder(places)) {
    const walk = new Walk(page);
    for (const index of order) {
      const node = walk.tree(adds[index]?.["node"], places[index]?.parent ?? null);
      if (node) {
        nodes.set(index, node);
      }
    }
    walk.finish();
  }
  return places.flatMap(({ parent, following }, index) => {
    const node = nodes.get(index);
    return node ? [{ parentId: parent, nextId: following, node }] : [];
  });
}

function changedText(change: Json, page: PageTree): string {
  const text = String(change["value"] ?? "");
  if (page.masked.has(idOf(change))) {
    return text ? MASK : "";
  }
  // The other half of a marker may be in a node that has not changed.
  return withoutMarked(text).includes(END) ? MASK : maskText(text);
}

/** Copies trees of nodes in the order of the document. */
class Walk {
  #markerOpen = false;
  readonly #page: PageTree;
  readonly #betweenMarkers = new Set<number | null>();

  constructor(page: PageTree) {
    this.#page = page;
  }

  /** Remember what stands between markers: not before, for there is text behind them. */
  finish(): void {
    this.#betweenMarkers.forEach((id) => this.#remember(id));
  }

  tree(root: unknown, parent: number | null): Json | null {
    if (!isObject(root)) {
      return null;
    }
    const copies: Json[] = [];
    const inMasked = parent !== null && this.#page.masked.has(parent);
    const waiting: [Json, boolean, number | null, Json[]][] = [[root, inMasked, parent, copies]];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [node, within, above, siblings] = next;
      const opened = this.#markerOpen;
      const [copy, inside] = this.#node(node, within);
      siblings.push(copy);
      this.#page.place(reference(node["id"]), above);
      if (opened || this.#markerOpen) {
        // What is put beside it later is between the markers too.
        this.#betweenMarkers.add(reference(node["id"])).add(above);
      }
      if (inside || String(node["textContent"]).includes(START)) {
        this.#remember(reference(node["id"]));
      }
      if ("childNodes" in node) {
        const children: Json[] = [];
        copy["childNodes"] = children;
        // The first child is on top: markers are met in the order they are read.
        for (const child of toObjects(node["childNodes"]).reverse()) {
          waiting.push([child, inside, reference(node["id"]), children]);
        }
      }
    }
    return copies[0] ?? null;
  }

  #remember(id: number | null): void {
    if (id !== null) {
      this.#page.masked.add(id);
    }
  }

  #node(node: Json, within: boolean): [Json, boolean] {
    let inside = within;
    const copy: Json = {};
    for (const name of NODE_NUMBERS) {
      if (Number.isInteger(node[name]) || typeof node[name] === "boolean") {
        copy[name] = node[name];
      }
    }
    switch (node["type"]) {
      case ELEMENT: {
        const tag = String(node["tagName"] ?? "").toLowerCase();
        const attributes = toObject(node["attributes"]);
        inside ||= isMasking(tag, attributes);
        copy["tagName"] = tag;
        copy["attributes"] = maskAttributes(tag, attributes, inside || this.#markerOpen);
        break;
      }
      case TEXT:
      case CDATA: {
        const text = String(node["textContent"] ?? "");
        copy["textContent"] = this.#text(text, inside);
        if (node["isStyle"] === true) {
          copy["isStyle"] = true;
          if (!inside && !this.#markerOpen) {
            copy["textContent"] = maskStyle(text);
          }
        }
        break;
      }
      case COMMENT:
        copy["textContent"] = "";
        break;
      default:
        for (const name of ["name", "publicId", "systemId", "compatMode"]) {
          if (name in node) {
            copy[name] = String(node[name] ?? "");
          }
        }
    }
    return [copy, inside];
  }

  #text(given: string, inside: boolean): string {
    let [before, text] = ["", given];
    if (this.#markerOpen) {
      const end = given.indexOf(END);
      if (end < 0) {
        return given.trim() ? MASK : given;
      }
      [before, text] = [MASK, given.slice(end + END.length)];
    }
    this.#markerOpen = text.lastIndexOf(START) > text.lastIndexOf(END);
    if (inside) {
      return text.trim() || before ? MASK : text;
    }
    return before + maskText(text);
  }
}

function toNumber(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function reference(value: unknown): number | null {
  return Number.isInteger(value) ? (value as number) : null;
}

function idOf(value: Json): number {
  return reference(value["id"]) ?? -1;
}

function pick(object: Json, names: string[]): Json {
  return Object.fromEntries(names.filter((name) => name in object).map((name) => [name, object[name]]));
}
