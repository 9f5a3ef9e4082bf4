// Whether somebody is logged in, as far as the page knows.

import { route } from './route.svelte';

class Session {
  /** The server refused a question for want of a session. */
  expired(): void {
    if (route.path === '/login') return;
    const back = route.path + route.search;
    route.to('/login', back === '/' ? {} : { next: back }, { replace: true });
  }
}

export const session = new Session();

/** A path of this page to go to after the login; anything that leads elsewhere is not followed. */
export function safeNext(next: string | null): string {
  if (next === null || !next.startsWith('/') || next.startsWith('//') || next.includes('\\')) return '/';
  const target = new URL(next, 'http://page.invalid');
  if (target.host !== 'page.invalid' || target.pathname === '/login') return '/';
  return target.pathname + target.search;
}
