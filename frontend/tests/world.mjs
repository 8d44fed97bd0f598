// What the browser tests share: the deployment that scripts/test-browser made, a browser, people with money, screenshots.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Actor, HttpAgent } from '@icp-sdk/core/agent';
import { Ed25519KeyIdentity } from '@icp-sdk/core/identity';
import { chromium } from 'playwright-core';

const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url).pathname;
const SCREENSHOTS = join(ROOT, 'frontend/test-results');
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run scripts/test-browser`);
  return value;
}

export const deployment = JSON.parse(readFileSync(required('STOA_DEPLOYMENT'), 'utf8'));
const endpoint = new URL(required('STOA_ENDPOINT'));
/** Where a browser finds a frontend canister of this network. */
export const pageOf = (canister) => `http://${canister}.localhost:${endpoint.port}`;
export const page = pageOf(deployment.frontend);

/** The command line, as the identity that deployed. */
export const stoa = (...args) => command(args);

async function command(args, environment = {}) {
  const { stdout } = await run(join(ROOT, 'target/debug/stoa'), args, { cwd: ROOT, maxBuffer: 1 << 24, env: { ...process.env, ...environment } });
  return stdout;
}

/** The module of a canister as it is deployed. */
export const modulePath = (name) => join(ROOT, `target/canisters/${name}.wasm.gz`);

/** Another Stoa on the same network, which is written to `file`. */
export function stoaOf(file) {
  return {
    stoa: (...args) => command(args, { STOA_DEPLOYMENT: file }),
    deployment: () => JSON.parse(readFileSync(file, 'utf8')),
  };
}

/** A development identity: its key follows from its name, as in the page and the command line. */
export function identityOf(name) {
  const seed = createHash('sha256').update(`stoa development identity, known to everybody: ${name}`).digest();
  return Ed25519KeyIdentity.generate(seed);
}

/** ICP and tokens for somebody. */
export async function fund(name, { icp = '10', tokens = '100' } = {}) {
  const principal = identityOf(name).getPrincipal().toText();
  if (icp !== '0') await stoa('transfer', icp, 'icp', principal);
  if (tokens !== '0') await stoa('transfer', tokens, 'stoa', principal);
}

/** A canister of the deployment by its own interface, called by who deployed: for what the command line has no words. */
export async function actorOf(name) {
  const { idlFactory } = await import(`../src/bindings/declarations/${name}.did.js`);
  const agent = await HttpAgent.create({ host: endpoint.origin, identity: identityOf('deployer'), shouldFetchRootKey: true });
  return Actor.createActor(idlFactory, { agent, canisterId: deployment[name] });
}

export const freshName = () => `t${Math.random().toString(36).slice(2, 12)}`;

const LAUNCH = {
  executablePath: process.env.STOA_CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--no-first-run'],
};

const CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

/** A browser for a test file, with Chromium's moving test picture as `camera` where that is set. Its pages fail the test by what they log as an error. */
export async function launch({ camera = false } = {}) {
  const browser = await chromium.launch({ ...LAUNCH, args: camera ? [...LAUNCH.args, ...CAMERA] : LAUNCH.args });
  return {
    close: () => browser.close(),
    /** A new person: own storage, nobody signed in. `expectedErrors` are what the console may say. */
    async visitor({ viewport = { width: 1280, height: 900 }, colorScheme = 'light', expectedErrors = [], profile, touch = false } = {}) {
      const options = { viewport, colorScheme, reducedMotion: 'reduce', acceptDownloads: true, hasTouch: touch, isMobile: touch };
      // Without a profile the browser forgets its databases when a page is loaded anew.
      const context =
        profile === undefined ? await browser.newContext(options) : await chromium.launchPersistentContext(profile, { ...LAUNCH, ...options });
      const tab = await context.newPage();
      tab.setDefaultTimeout(30_000);
      const errors = [];
      const note = (text) => {
        if (!expectedErrors.some((pattern) => pattern.test(text))) errors.push(text);
      };
      tab.on('pageerror', (error) => note(`uncaught: ${error.message}`));
      tab.on('console', (message) => message.type() === 'error' && note(message.text()));
      return { context, tab, errors };
    },
  };
}

export async function signIn(tab, name) {
  await tab.getByRole('button', { name: 'Sign in for development' }).click();
  await tab.getByLabel('Name of a development identity').fill(name);
  await tab.getByRole('button', { name: `Sign in as dev:${name}` }).click();
  await tab.getByRole('button', { name: 'Sign out' }).waitFor();
}

/** What stays in place while a page is scrolled would stand in the middle of a picture of all of it. */
const UNROLLED = '.bars { position: static !important } .side { position: static !important; height: auto !important }';

/** For people to look at; not compared. */
export async function screenshot(tab, name) {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await tab.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true, style: UNROLLED });
}

/** What axe finds that keeps people out: rules of WCAG 2.1 A and AA, serious or critical. */
export async function accessibilityProblems(tab) {
  // By the debugger, since the page's policy lets no foreign script in.
  await tab.evaluate(readFileSync(AXE, 'utf8'));
  const { violations } = await tab.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }),
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`));
}

/** As a browser asks; names below `localhost` are this machine to browsers, and unknown to Node. */
export function get(path, headers = {}) {
  return new Promise((resolve, reject) => {
    const asked = request({ host: endpoint.hostname, port: endpoint.port, path, headers: { host: new URL(page).host, ...headers } }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
    asked.on('error', reject);
    asked.end();
  });
}
