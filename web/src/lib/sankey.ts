// A layout for three columns of things and the traffic between them.

export interface FlowNode {
  id: string;
  column: number;
  key: string;
  value: number;
  x: number;
  y: number;
  height: number;
}

export interface FlowLink {
  from: FlowNode;
  to: FlowNode;
  value: number;
  /** Program that the traffic is of: gives the colour. */
  first: string;
  y0: number;
  y1: number;
  height: number;
}

export interface Path {
  /** One per column. */
  keys: string[];
  value: number;
}

export const REST = '\u0000others';

/** The `most` largest keys of each column by name, all others as `REST`. */
export function fold(paths: readonly Path[], most: readonly number[]): Path[] {
  const kept = most.map((limit, column) => {
    const sums = new Map<string, number>();
    for (const path of paths) {
      const key = path.keys[column] ?? '';
      sums.set(key, (sums.get(key) ?? 0) + path.value);
    }
    const ranked = [...sums].sort((a, b) => b[1] - a[1]);
    return new Set(ranked.slice(0, limit).map(([key]) => key));
  });
  const merged = new Map<string, Path>();
  for (const path of paths) {
    const keys = path.keys.map((key, column) => (kept[column]?.has(key) ? key : REST));
    const id = keys.join('\u0001');
    const there = merged.get(id);
    if (there) there.value += path.value;
    else merged.set(id, { keys, value: path.value });
  }
  return [...merged.values()];
}

/**
 * The largest `paths` of three keys, and what they leave out: by first and last key as far as
 * `pairs` tell, and what these leave of `total` too.
 */
export function completed(paths: readonly Path[], pairs: readonly Path[], total: number): Path[] {
  const id = (first = '', last = ''): string => `${first}\u0001${last}`;
  const told = new Map<string, number>();
  for (const { keys, value } of paths) {
    const pair = id(keys[0], keys[2]);
    told.set(pair, (told.get(pair) ?? 0) + value);
  }
  const out = paths.filter((path) => path.value > 0);
  for (const { keys, value } of pairs) {
    const rest = value - (told.get(id(keys[0], keys[1])) ?? 0);
    if (rest > 0) out.push({ keys: [keys[0] ?? '', REST, keys[1] ?? ''], value: rest });
  }
  const rest = total - out.reduce((sum, path) => sum + path.value, 0);
  if (rest > 0) out.push({ keys: [REST, REST, REST], value: rest });
  return out;
}

export interface Size {
  width: number;
  height: number;
  /** Of a node's bar. */
  bar: number;
  gap: number;
}

/** Bars as high as their traffic, in columns; the middle ones ordered so that bands cross little. */
export function layout(paths: readonly Path[], size: Size): { nodes: FlowNode[]; links: FlowLink[] } {
  const columns = paths[0]?.keys.length ?? 0;
  const nodes = new Map<string, FlowNode>();
  const links = new Map<string, FlowLink>();
  const node = (column: number, key: string): FlowNode => {
    const id = `${column}\u0001${key}`;
    let found = nodes.get(id);
    if (!found) {
      const x = columns < 2 ? 0 : (column * (size.width - size.bar)) / (columns - 1);
      found = { id, column, key, value: 0, x, y: 0, height: 0 };
      nodes.set(id, found);
    }
    return found;
  };
  for (const { keys, value } of paths) {
    keys.forEach((key, column) => (node(column, key).value += value));
    for (let column = 0; column + 1 < columns; column += 1) {
      const [from, to] = [node(column, keys[column] ?? ''), node(column + 1, keys[column + 1] ?? '')];
      const first = keys[0] ?? '';
      const id = `${from.id}\u0002${to.id}\u0002${first}`;
      const there = links.get(id);
      if (there) there.value += value;
      else links.set(id, { from, to, value, first, y0: 0, y1: 0, height: 0 });
    }
  }
  const all = [...nodes.values()];
  const bands = [...links.values()];
  place(all, bands, columns, size);
  return { nodes: all, links: bands };
}

function place(nodes: FlowNode[], links: FlowLink[], columns: number, size: Size): void {
  const inColumn = (column: number): FlowNode[] => nodes.filter((node) => node.column === column);
  const scales = Array.from({ length: columns }, (_, column) => {
    const list = inColumn(column);
    const total = list.reduce((sum, node) => sum + node.value, 0);
    return total > 0 ? Math.max(1, size.height - size.gap * (list.length - 1)) / total : 0;
  });
  const scale = Math.min(...scales);
  const last = (node: FlowNode): number => (node.key === REST ? 1 : 0);
  for (let column = 0; column < columns; column += 1) {
    const list = inColumn(column);
    const centre = (node: FlowNode): number => {
      let [sum, weight] = [0, 0];
      for (const link of links) {
        if (link.to !== node) continue;
        sum += (link.from.y + link.from.height / 2) * link.value;
        weight += link.value;
      }
      return weight > 0 ? sum / weight : 0;
    };
    const order = new Map(list.map((node) => [node, column === 0 ? -node.value : centre(node)]));
    list.sort((a, b) => last(a) - last(b) || (order.get(a) ?? 0) - (order.get(b) ?? 0) || b.value - a.value);
    const used = list.reduce((sum, node) => sum + Math.max(1, node.value * scale), 0);
    const gap = list.length > 1 ? Math.min(size.gap * 3, Math.max(0, (size.height - used) / (list.length - 1))) : 0;
    let y = 0;
    for (const node of list) {
      node.height = Math.max(1, node.value * scale);
      node.y = y;
      y += node.height + gap;
    }
  }
  for (const node of nodes) {
    let [out, into] = [node.y, node.y];
    const leaving = links.filter((link) => link.from === node).sort((a, b) => a.to.y - b.to.y);
    for (const link of leaving) {
      link.height = link.value * scale;
      link.y0 = out + link.height / 2;
      out += link.height;
    }
    const arriving = links.filter((link) => link.to === node).sort((a, b) => a.from.y - b.from.y);
    for (const link of arriving) {
      link.height = link.value * scale;
      link.y1 = into + link.height / 2;
      into += link.height;
    }
  }
}

/** The path of a band's middle. */
export function curve(link: FlowLink, bar: number): string {
  const [x0, x1] = [link.from.x + bar, link.to.x];
  const middle = (x0 + x1) / 2;
  const n = (value: number): string => value.toFixed(1);
  return `M${n(x0)},${n(link.y0)}C${n(middle)},${n(link.y0)} ${n(middle)},${n(link.y1)} ${n(x1)},${n(link.y1)}`;
}
