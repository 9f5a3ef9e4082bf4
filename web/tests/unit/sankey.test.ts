import { expect, test } from 'vitest';
import { REST, completed, curve, fold, layout } from '../../src/lib/sankey';

const paths = [
  { keys: ['/a', 'x.org', 'DE'], value: 100 },
  { keys: ['/a', 'y.org', 'US'], value: 50 },
  { keys: ['/b', 'y.org', 'US'], value: 30 },
  { keys: ['/c', 'z.org', 'FR'], value: 1 },
];

test('what is small goes into others, and nothing is lost', () => {
  const folded = fold(paths, [2, 1, 2]);
  expect(folded.reduce((sum, path) => sum + path.value, 0)).toBe(181);
  expect(new Set(folded.map((path) => path.keys[0]))).toEqual(new Set(['/a', '/b', REST]));
});

test('what the largest leave out is known by its ends', () => {
  const pairs = [{ keys: ['/a', 'DE'], value: 140 }, { keys: ['/d', 'US'], value: 9 }];
  const all = completed(paths, pairs, 240);
  expect(all.reduce((sum, path) => sum + path.value, 0)).toBe(240);
  expect(all).toContainEqual({ keys: ['/a', REST, 'DE'], value: 40 });
  expect(all).toContainEqual({ keys: [REST, REST, REST], value: 10 });
});

test('bars are as high as what goes in and out, and stay inside', () => {
  const size = { width: 600, height: 400, bar: 10, gap: 10 };
  const { nodes, links } = layout(paths, size);
  for (const node of nodes) {
    const sum = (side: 'from' | 'to'): number => links.filter((link) => link[side] === node).reduce((all, link) => all + link.height, 0);
    if (node.column > 0) expect(sum('to')).toBeCloseTo(node.height, 0);
    if (node.column < 2) expect(sum('from')).toBeCloseTo(node.height, 0);
    expect(node.y).toBeGreaterThanOrEqual(0);
    expect(node.y + node.height).toBeLessThanOrEqual(size.height + 1);
  }
  for (const link of links) expect(curve(link, size.bar)).not.toContain('NaN');
  expect(layout([], size)).toEqual({ nodes: [], links: [] });
});
