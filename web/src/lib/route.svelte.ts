// The address bar is the page's only state: what is shown can be reloaded, bookmarked and sent.

/** Changes to parameters: null takes one away, a list writes it several times. */
export type Changes = Record<string, string | readonly string[] | null>;

export function changed(search: string, changes: Changes): string {
  const params = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changes)) {
    params.delete(name);
    if (value === null || value === '') continue;
    if (typeof value === 'string') params.append(name, value);
    else for (const one of value) params.append(name, one);
  }
  const text = readable(params);
  return text === '' ? '' : `?${text}`;
}

/** Paths and filters stay legible in the address bar; what would end a parameter stays escaped. */
function readable(params: URLSearchParams): string {
  return params.toString().replace(/%2F/g, '/').replace(/%3A/g, ':').replace(/%2C/g, ',').replace(/%21/g, '!');
}

/** What goes along from view to view. */
export const SHARED = ['since', 'until', 'filter', 'layer'];

class Route {
  path = $state(location.pathname);
  search = $state(location.search);
  #params = $derived(new URLSearchParams(this.search));

  constructor() {
    addEventListener('popstate', () => this.#read());
  }

  #read(): void {
    this.path = location.pathname;
    this.search = location.search;
  }

  get(name: string): string | null {
    return this.#params.get(name);
  }

  all(name: string): string[] {
    return this.#params.getAll(name);
  }

  /** The address of `path` with `changes` made to what views share. */
  href(path: string, changes: Changes = {}): string {
    const kept = new URLSearchParams();
    for (const name of SHARED) for (const value of this.all(name)) kept.append(name, value);
    return path + changed(kept.toString(), changes);
  }

  /** Changes parameters of this view. `replace` leaves no step in the browser's history. */
  set(changes: Changes, { replace = false } = {}): void {
    this.#go(this.path + changed(this.search, changes), replace);
  }

  to(path: string, changes: Changes = {}, { replace = false } = {}): void {
    this.#go(path + changed('', changes), replace);
  }

  /** An address as `href` makes them. */
  open(address: string): void {
    this.#go(address, false);
  }

  #go(address: string, replace: boolean): void {
    if (address === location.pathname + location.search) return;
    if (replace) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
    const moved = location.pathname !== this.path;
    this.#read();
    if (moved) scrollTo(0, 0);
  }
}

export const route = new Route();

/** Lets links of this page change the view instead of loading it anew. */
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!(link instanceof HTMLAnchorElement) || link.target !== '' || link.hasAttribute('download')) return;
  if (link.origin !== location.origin || link.pathname.startsWith('/api/')) return;
  if (link.hash !== '' && link.pathname === location.pathname) return;
  event.preventDefault();
  route.open(link.pathname + link.search);
}
