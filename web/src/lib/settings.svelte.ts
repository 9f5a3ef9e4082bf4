// What a reader prefers: not part of what is shown, so not in the address.

import type { Theme } from './colour';
import type { Units } from './format';

type Choice = Theme | 'auto';

function stored(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Private windows may refuse: then it holds until the page is closed.
  }
}

class Settings {
  choice = $state<Choice>('auto');
  units = $state<Units>('iec');
  #dark = $state(false);
  theme = $derived<Theme>(this.choice === 'auto' ? (this.#dark ? 'dark' : 'light') : this.choice);

  constructor() {
    const choice = stored('theme');
    if (choice === 'light' || choice === 'dark') this.choice = choice;
    if (stored('units') === 'si') this.units = 'si';
    const prefers = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : null;
    this.#dark = prefers?.matches ?? false;
    prefers?.addEventListener('change', (event) => (this.#dark = event.matches));
  }

  setTheme(choice: Choice): void {
    this.choice = choice;
    store('theme', choice);
  }

  setUnits(units: Units): void {
    this.units = units;
    store('units', units);
  }
}

export const settings = new Settings();
