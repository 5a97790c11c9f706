// Makes elements of the page.

type Child = Node | string | null | false;

/** Return an element; children that are null or false are left out. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null && child !== false));
  return element;
}

/**
 * Return an element whose text is nobody else's business: the recorder masks it.
 *
 * It is written in whichever direction, and does not turn round what stands beside it.
 */
export function personal<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  text: string,
  className = "",
): HTMLElementTagNameMap[Tag] {
  const element = make(tag, {}, text);
  element.className = className;
  element.dataset["pii"] = "";
  element.dir = "auto";
  return element;
}
