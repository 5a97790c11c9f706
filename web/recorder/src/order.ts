// The order in which new nodes stand on the page, which is not the one rrweb names them in.
// The same as src/pidgr/replay/order.py.

/** Where a new node goes: before `following` under `parent`; null where that is nowhere. */
export interface Place {
  node: number;
  parent: number | null;
  following: number | null;
}

/** Return indexes of new nodes in the order they are read, one list for each old parent. */
export function documentOrder(places: readonly Place[]): number[][] {
  const key = (parent: number | null, node: number | null) => `${parent} ${node}`;
  const fresh = new Set<number | null>(places.map((place) => place.node));
  const siblings = new Set(places.map((place) => key(place.parent, place.node)));
  const earlier = new Map<string, number[]>();
  const last = new Map<number | null, number[]>();
  places.forEach((place, index) => {
    const before = key(place.parent, place.following);
    if (siblings.has(before)) {
      push(earlier, before, index);
    } else {
      push(last, place.parent, index);
    }
  });

  const lastFirst = (parent: number | null): number[] => {
    const found: number[] = [];
    for (const end of take(last, parent)) {
      const chain = [end];
      for (let index = chain.pop(); index !== undefined; index = chain.pop()) {
        found.push(index);
        chain.push(...take(earlier, key(parent, nodeAt(places, index))));
      }
    }
    return found;
  };

  return [...last.keys()]
    .filter((parent) => !fresh.has(parent))
    .map((parent) => {
      const order: number[] = [];
      const waiting = lastFirst(parent);
      for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
        order.push(index);
        for (const child of lastFirst(nodeAt(places, index))) {
          waiting.push(child);
        }
      }
      return order;
    });
}

function nodeAt(places: readonly Place[], index: number): number {
  return places[index]?.node ?? -1;
}

function push<Key>(lists: Map<Key, number[]>, key: Key, index: number): void {
  const list = lists.get(key);
  if (list) {
    list.push(index);
  } else {
    lists.set(key, [index]);
  }
}

function take<Key>(lists: Map<Key, number[]>, key: Key): number[] {
  const list = lists.get(key) ?? [];
  lists.delete(key);
  return list;
}
