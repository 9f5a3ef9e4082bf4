import { defineConfig } from 'vitest/config';

// In a real browser, against a real server with a real daemon behind it: needs root, the binary
// (FEMTOSNITCH) and Chromium. One after the other, as they share a history.
export default defineConfig({
  test: {
    environment: 'node',
    include: ['tests/browser/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
});
