// What the dashboard weighs, compressed as a server sends it; fails where that is too much.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const MOST = 250 * 1024;
// What is needed before anything can be seen: the page, and what it names itself.
const FIRST = 90 * 1024;

const dist = new URL('dist/', import.meta.url).pathname;
const sizes = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  .map((path) => ({ path: path.slice(dist.length), size: gzipSync(readFileSync(path), { level: 9 }).length }))
  .sort((a, b) => b.size - a.size);
const html = readFileSync(join(dist, 'index.html'), 'utf8');
const total = sizes.reduce((sum, { size }) => sum + size, 0);
const first = sizes.filter(({ path }) => path === 'index.html' || html.includes(path)).reduce((sum, { size }) => sum + size, 0);
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;

for (const { path, size } of sizes) console.log(`${kib(size).padStart(10)}  ${path}`);
console.log(`${kib(total).padStart(10)}  in all, of ${kib(MOST)}; ${kib(first)} before the first view, of ${kib(FIRST)}`);
if (/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/.test(html)) {
  console.error('index.html has inline code or styles, which the content security policy forbids');
  process.exit(1);
}
if (total > MOST || first > FIRST) {
  console.error('the dashboard has become too heavy: see what grew, above');
  process.exit(1);
}
