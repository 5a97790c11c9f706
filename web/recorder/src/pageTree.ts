// What of a page decides how later changes are masked; they only name ids of nodes.

/**
 * Which nodes are masked because of where they stand, and which stand in which.
 *
 * Nodes change what they are while they are watched: a click makes a paragraph editable, and what
 * is typed then comes as changes of texts that were there before.
 */
export class PageTree {
  readonly masked = new Set<number>();
  readonly #children = new Map<number, Set<number>>();

  /** Begin with another page. */
  clear(): void {
    this.masked.clear();
    this.#children.clear();
  }

  /** Put a node into another. */
  place(node: number | null, parent: number | null): void {
    if (node === null || parent === null) {
      return;
    }
    const siblings = this.#children.get(parent);
    if (siblings) {
      siblings.add(node);
    } else {
      this.#children.set(parent, new Set([node]));
    }
  }

  /** Take a node out of another; what is in it stays there, for it may be put elsewhere. */
  takeOut(node: number | null, parent: number | null): void {
    if (node !== null && parent !== null) {
      this.#children.get(parent)?.delete(node);
    }
  }

  /** Forget what is in nodes that have gone. */
  forgetBelow(roots: Iterable<number>): void {
    this.#below(roots).forEach((node) => this.#children.delete(node));
  }

  /** Mask a node and all that is in it. */
  maskBelow(root: number): void {
    this.#below([root]).forEach((node) => this.masked.add(node));
  }

  #below(roots: Iterable<number>): Set<number> {
    const found = new Set<number>();
    const waiting = [...roots];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      if (!found.has(node)) {
        found.add(node);
        this.#children.get(node)?.forEach((child) => waiting.push(child));
      }
    }
    return found;
  }
}
