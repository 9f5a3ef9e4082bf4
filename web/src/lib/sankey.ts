// Three columns of things and the traffic between them, from what is known of two columns at a time.

import type { Report, Sums } from './types';

export interface FlowNode {
  id: string;
  column: number;
  key: string;
  value: number;
  x: number;
  y: number;
  height: number;
}

/** Traffic between two neighbours. */
export interface Band {
  /** Of `from`: 0 or 1. */
  column: number;
  from: string;
  to: string;
  value: number;
  /** Program that all of it is of, and country that all of it reached; null where that is not told. */
  first: string | null;
  last: string | null;
}

export interface FlowLink extends Omit<Band, 'from' | 'to'> {
  from: FlowNode;
  to: FlowNode;
  y0: number;
  y1: number;
  height: number;
}

export const REST = '\u0000others';

/** How many things of each column have a bar of their own. */
export const MOST: readonly number[] = [9, 14, 10];

/** A column: its largest things first. */
export interface Column {
  sums: { key: string; value: number }[];
  /** Whether there are more than these. */
  others: boolean;
}

/** What two neighbouring columns have in common. */
export interface Pairs {
  sums: { from: string; to: string; value: number }[];
  /** Whether there are more than these. */
  others: boolean;
}

type Value = (sums: Sums) => number;

/** The largest `most` of a report by one dimension that `named` says can be asked for. */
export function largest({ answers, others }: Pick<Report, 'answers' | 'others'>, most: number, value: Value, named: (key: string) => boolean): Column {
  const all = answers.map((answer) => ({ key: String(answer.keys[0]), value: value(answer) })).sort((a, b) => b.value - a.value);
  const sums = all.filter((it) => it.value > 0 && named(it.key)).slice(0, most);
  return { sums, others: others.groups > 0 || sums.length < all.length };
}

export function pairsOf({ answers, others }: Pick<Report, 'answers' | 'others'>, value: Value): Pairs {
  return { sums: answers.map((answer) => ({ from: String(answer.keys[0]), to: String(answer.keys[1]), value: value(answer) })), others: others.groups > 0 };
}

/** The same column with fewer bars. */
export function shortened({ sums, others }: Column, most: number): Column {
  return { sums: sums.slice(0, most), others: others || sums.length > most };
}

/** Bands between two columns: each thing's rest goes to the others, so that all of them are `total`. */
function between(column: number, from: Column, to: Column, pairs: Pairs, total: number): Band[] {
  const out: Band[] = [];
  const add = (one: string, other: string, value: number): void => {
    if (value > 0) out.push({ column, from: one, to: other, value, first: null, last: null });
  };
  const [left, right] = [new Map(from.sums.map((it) => [it.key, it.value])), new Map(to.sums.map((it) => [it.key, it.value]))];
  for (const pair of pairs.sums) {
    const [one, other] = [left.get(pair.from), right.get(pair.to)];
    if (one === undefined || other === undefined) continue;
    add(pair.from, pair.to, pair.value);
    left.set(pair.from, one - pair.value);
    right.set(pair.to, other - pair.value);
  }
  // Where nothing is left out, what is over moved between two questions.
  const [sources, targets] = [from.others || pairs.others, to.others || pairs.others];
  if (targets) for (const [key, rest] of left) add(key, REST, rest);
  if (sources) for (const [key, rest] of right) add(REST, key, rest);
  if (sources && targets) add(REST, REST, total - out.reduce((sum, band) => sum + band.value, 0));
  return out;
}

function grouped(bands: readonly Band[], by: 'from' | 'to'): Map<string, Band[]> {
  const out = new Map<string, Band[]>();
  for (const band of bands) out.set(band[by], [...(out.get(band[by]) ?? []), band]);
  return out;
}

/**
 * All bands. Which program reached which country follows where a middle thing has one program or
 * one country: there the bands tell it, each program's apart.
 */
export function bandsOf([programs, middle, countries]: readonly [Column, Column, Column], left: Pairs, right: Pairs, total: number): Band[] {
  const into = grouped(between(0, programs, middle, left, total), 'to');
  const out: Band[] = [];
  for (const [key, leaving] of grouped(between(1, middle, countries, right, total), 'from')) {
    const arriving = into.get(key) ?? [];
    const [source, target] = [arriving[0], leaving[0]];
    if (leaving.length === 1 && target && source) {
      const all = arriving.reduce((sum, band) => sum + band.value, 0);
      for (const band of arriving) {
        band.last = target.to;
        out.push({ ...target, first: band.from, last: target.to, value: (target.value * band.value) / all });
      }
    } else for (const band of leaving) out.push({ ...band, first: arriving.length === 1 && source ? source.from : null, last: band.to });
  }
  for (const arriving of into.values()) for (const band of arriving) out.push({ ...band, first: band.from });
  return out;
}

export interface Size {
  width: number;
  height: number;
  /** Of a node's bar. */
  bar: number;
  gap: number;
}

const COLUMNS = 3;

/** Bars as high as their traffic, in columns; the middle ones ordered so that bands cross little. */
export function layout(bands: readonly Band[], size: Size): { nodes: FlowNode[]; links: FlowLink[] } {
  const nodes = new Map<string, FlowNode>();
  const node = (column: number, key: string): FlowNode => {
    const id = nodeId(column, key);
    let found = nodes.get(id);
    if (!found) {
      found = { id, column, key, value: 0, x: (column * (size.width - size.bar)) / (COLUMNS - 1), y: 0, height: 0 };
      nodes.set(id, found);
    }
    return found;
  };
  const links = bands.map((band): FlowLink => ({ ...band, from: node(band.column, band.from), to: node(band.column + 1, band.to), y0: 0, y1: 0, height: 0 }));
  const sum = (side: 'from' | 'to', of: FlowNode): number => links.reduce((all, link) => (link[side] === of ? all + link.value : all), 0);
  for (const one of nodes.values()) one.value = Math.max(sum('from', one), sum('to', one));
  const all = [...nodes.values()];
  place(all, links, size);
  return { nodes: all, links };
}

export function nodeId(column: number, key: string): string {
  return `${column}\u0001${key}`;
}

function place(nodes: FlowNode[], links: FlowLink[], size: Size): void {
  const inColumn = (column: number): FlowNode[] => nodes.filter((node) => node.column === column);
  const scales = Array.from({ length: COLUMNS }, (_, column) => {
    const list = inColumn(column);
    const total = list.reduce((sum, node) => sum + node.value, 0);
    return total > 0 ? Math.max(1, size.height - size.gap * (list.length - 1)) / total : 0;
  });
  const scale = Math.min(...scales);
  const last = (node: FlowNode): number => (node.key === REST ? 1 : 0);
  for (let column = 0; column < COLUMNS; column += 1) {
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
  const programs = new Map(inColumn(0).map((node) => [node.key, node.y]));
  // Several between the same two: in the order of their programs.
  const apart = (a: FlowLink, b: FlowLink): number => (programs.get(a.first ?? '') ?? 0) - (programs.get(b.first ?? '') ?? 0);
  for (const node of nodes) {
    let [out, into] = [node.y, node.y];
    const leaving = links.filter((link) => link.from === node).sort((a, b) => a.to.y - b.to.y || apart(a, b));
    for (const link of leaving) {
      link.height = link.value * scale;
      link.y0 = out + link.height / 2;
      out += link.height;
    }
    const arriving = links.filter((link) => link.to === node).sort((a, b) => a.from.y - b.from.y || apart(a, b));
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
