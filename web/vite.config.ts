import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { licences } from './licences.ts';

// The server's content security policy forbids inline code, so nothing is inlined: no data: fonts or
// scripts, no module preload polyfill (it is injected as code of its own).
export default defineConfig({
  plugins: [svelte(), licences()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  resolve: process.env['VITEST'] ? { conditions: ['browser'] } : {},
  server: { proxy: { '/api': 'http://127.0.0.1:5100' } },
  test: { environment: 'node', include: ['tests/unit/**/*.test.ts'] },
});
