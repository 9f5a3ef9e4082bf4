// A daemon, traffic of known volume, the dashboard's server and a browser; and their end.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core';

const run = promisify(execFile);
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export async function until<T>(what: string, ask: () => Promise<T | undefined | false>, seconds = 40): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`it did not come to this in ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Bytes that one program moved, as the other end counts them. */
export interface Moved {
  exe: string;
  send: number;
  recv: number;
  /** When the first byte came to the other end: milliseconds, as `Date.now()` has them. */
  began: number;
}

export class Stage {
  readonly root: string;
  base = '';
  token = '';
  /** What the browser complained of. */
  readonly complaints: string[] = [];
  #children: ChildProcess[] = [];
  #peer: Server | undefined;
  #browser: Browser | undefined;
  #context: BrowserContext | undefined;

  constructor() {
    this.root = mkdtempSync(join(tmpdir(), 'femtosnitch-web-'));
  }

  static async open(): Promise<Stage> {
    const stage = new Stage();
    try {
      await stage.#start();
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  async #start(): Promise<void> {
    const program = process.env['FEMTOSNITCH'];
    if (!program) throw new Error('FEMTOSNITCH has to name the binary; `scripts/web browser` does that');
    if (process.getuid?.() !== 0) throw new Error('a daemon that captures needs root');
    mkdirSync(join(this.root, 'etc/femtosnitch'), { recursive: true });
    // Rows soon, so that tests need not wait.
    writeFileSync(join(this.root, 'etc/femtosnitch/config.toml'), '[store]\nwrite_interval = "1s"\n');
    const daemon = this.#spawn(program, ['daemon', '--root', this.root]);
    await this.#says(daemon, /ready/);
    const port = await freePort();
    this.base = `http://127.0.0.1:${port}`;
    const web = this.#spawn(program, ['web', '--root', this.root, '--listen', `127.0.0.1:${port}`]);
    await this.#says(web, /token/);
    this.token = readFileSync(join(this.root, 'var/lib/femtosnitch-web/token'), 'utf8').trim();
    const executablePath = process.env['CHROMIUM'] ?? CHROMIUM.find((path) => existsSync(path));
    if (!executablePath) throw new Error('no Chromium is installed: `scripts/setup test` installs it, or set CHROMIUM');
    this.#browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  }

  #spawn(program: string, args: string[]): ChildProcess {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    // However the tests end, nothing of theirs stays.
    process.once('exit', () => child.kill('SIGTERM'));
    return child;
  }

  async #says(child: ChildProcess, wanted: RegExp): Promise<void> {
    let said = '';
    child.stdout?.on('data', (data: Buffer) => (said += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (said += data.toString()));
    await until(`${wanted} is said`, async () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${said}`);
      return wanted.test(said);
    });
  }

  /** Has curl, under another name if one is given, fetch so many bytes from a server of this process. */
  async download(size: number, name = 'curl'): Promise<Moved> {
    const exe = join(this.root, name);
    if (!existsSync(exe)) copyFileSync('/usr/bin/curl', exe);
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\nConnection: close\r\n\r\n`;
    const moved = new Promise<Omit<Moved, 'exe'>>((resolve) => {
      this.#peer = createServer((socket) => {
        let began = 0;
        socket.once('data', () => {
          began = Date.now();
          socket.end(head + 'x'.repeat(size));
        });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve({ send: socket.bytesRead, recv: socket.bytesWritten, began }));
      });
    });
    const peer = this.#peer;
    if (!peer) throw new Error('no server');
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
    const { port } = peer.address() as AddressInfo;
    await run(exe, ['-s', '-o', '/dev/null', `http://127.0.0.1:${port}/`]);
    const counted = await moved;
    peer.close();
    return { exe, ...counted };
  }

  async ask<T>(path: string): Promise<T> {
    const response = await fetch(`${this.base}/api/v1${path}`, { headers: { authorization: `Bearer ${this.token}` } });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** A page that is logged in; `width` in CSS pixels. */
  async page(width = 1440, height = 900): Promise<Page> {
    await this.#context?.close();
    const context = await this.#browser?.newContext({ viewport: { width, height }, locale: 'en-GB', timezoneId: 'Europe/Berlin', reducedMotion: 'reduce' });
    if (!context) throw new Error('no browser');
    this.#context = context;
    const page = await context.newPage();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(`${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(this.base) && !request.url().startsWith('data:')) this.complaints.push(`asked elsewhere: ${request.url()}`);
    });
    await page.goto(`${this.base}/login`);
    await page.getByLabel('Token').fill(this.token);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForURL((url) => url.pathname !== '/login');
    return page;
  }

  /** A browser that nobody logged in with. */
  async stranger(width = 1440, height = 900): Promise<Page> {
    await this.#context?.close();
    const context = await this.#browser?.newContext({ viewport: { width, height }, reducedMotion: 'reduce' });
    if (!context) throw new Error('no browser');
    this.#context = context;
    return context.newPage();
  }

  async close(): Promise<void> {
    await this.#browser?.close();
    this.#peer?.close();
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null) continue;
      const over = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await over;
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
