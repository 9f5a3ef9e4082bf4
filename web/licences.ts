// The licences of what is in the bundle, in a file beside it: they ask for that.

import { readFileSync, readdirSync } from 'node:fs';
import type { Plugin } from 'vite';

function licence(name: string): string {
  const directory = new URL(`node_modules/${name}/`, import.meta.url);
  const { version, license } = JSON.parse(readFileSync(new URL('package.json', directory), 'utf8')) as { version: string; license: string };
  const file = readdirSync(directory).find((it) => /^licen[sc]e/i.test(it));
  if (!file) throw new Error(`${name} has no licence file: say what its licence is, or do not ship it`);
  return `${name} ${version} (${license})\n\n${readFileSync(new URL(file, directory), 'utf8').trim()}\n`;
}

export function licences(): Plugin {
  return {
    name: 'licences',
    apply: 'build',
    generateBundle(_options, bundle) {
      const found = Object.values(bundle).flatMap((it) => (it.type === 'chunk' ? it.moduleIds : []));
      const packages = new Set(found.flatMap((id) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1] ?? []));
      const source = [...packages].sort().map(licence).join(`\n${'-'.repeat(72)}\n\n`);
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source });
    },
  };
}
