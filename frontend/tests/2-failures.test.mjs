// What goes wrong between a person and the canisters, and what the page says and does then: answers and requests that somebody
// changed on the way, a network that is away, a canister without cycles.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { IcManagementCanister } from '@icp-sdk/canisters/ic-management';
import { Cbor, HttpAgent } from '@icp-sdk/core/agent';
import { Principal } from '@icp-sdk/core/principal';

import { freshName, fund, identityOf, launch, page, pageOf, screenshot, signIn, stoaOf } from './world.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** What a browser logs by itself about answers that did not come or were refused. */
const LOADING = [/Failed to load resource/, /net::ERR_/];

/** Hands every answer to `change`, which gives other bytes, or `undefined` to leave it. */
async function tamper(tab, pattern, change) {
  let changed = 0;
  await tab.route(pattern, async (route) => {
    // By number, since Node knows no names below `localhost`.
    const response = await route.fetch({ url: new URL(new URL(route.request().url()).pathname, process.env.STOA_ENDPOINT).href });
    const body = await response.body();
    const other = change(body, route.request());
    if (other !== undefined) changed += 1;
    await route.fulfill({ response, body: other ?? body });
  });
  return () => changed;
}

function flip(bytes, at) {
  const other = Buffer.from(bytes);
  other[at] ^= 1;
  return other;
}

const methodOf = (request) => {
  const body = request.postDataBuffer();
  return body === null ? undefined : Cbor.decode(new Uint8Array(body)).content?.method_name;
};

/** Requests that are still being changed have nowhere to go any more. */
async function leave(context, tab) {
  await tab.unrouteAll({ behavior: 'ignoreErrors' });
  await context.close();
}

/** Where the bytes of a reply are in a query's answer. */
function replyAt(body) {
  const { reply } = Cbor.decode(new Uint8Array(body));
  const at = reply === undefined ? -1 : body.indexOf(Buffer.from(reply.arg));
  return at < 0 ? undefined : { at, length: reply.arg.length };
}

test('should throw away the answer of a query that was changed on the way, and take the right one on another try', async () => {
  const { context, tab } = await browser.visitor();
  const changed = await tamper(tab, '**/api/**/query', (body, request) => {
    const found = methodOf(request) === 'search' ? replyAt(body) : undefined;
    return found === undefined ? undefined : flip(body, found.at + found.length - 1);
  });
  await tab.goto(`${page}/models`);
  await tab.getByText('The answer did not verify and was thrown away').waitFor();
  assert.ok(changed() > 0);
  assert.equal(await tab.getByRole('heading', { name: 'stoa/digits' }).count(), 0);
  await screenshot(tab, 'failure-changed-answer');
  await tab.unroute('**/api/**/query');
  await tab.getByRole('button', { name: 'Try again' }).click();
  await tab.getByRole('heading', { name: 'stoa/digits' }).waitFor();
  await leave(context, tab);
});

test('should not show a manifest as verified whose certificate was changed on the way', async () => {
  const { context, tab } = await browser.visitor();
  await tamper(tab, '**/api/**/query', (body, request) => {
    const found = methodOf(request) === 'get_version_certified' ? replyAt(body) : undefined;
    return found === undefined ? undefined : flip(body, found.at + Math.floor(found.length / 2));
  });
  await tab.goto(`${page}/models/stoa/digits`);
  await tab.getByText('The answer did not verify and was thrown away').waitFor();
  assert.equal(await tab.locator('[data-tid="verified"]').count(), 0);
  await leave(context, tab);
});

test('should take a chunk from its other shard where one answers other bytes, and save nothing where both do', async () => {
  const { context, tab } = await browser.visitor();
  await tab.goto(`${page}/models/stoa/digits`);
  const button = tab.getByRole('button', { name: 'Download digits.onnx' });
  await button.waitFor();
  let spoiled;
  const changed = await tamper(tab, '**/api/**/query', (body, request) => {
    if (methodOf(request) !== 'get_chunk') return undefined;
    const shard = new URL(request.url()).pathname;
    spoiled ??= [shard];
    const found = spoiled === 'all' || spoiled.includes(shard) ? replyAt(body) : undefined;
    return found === undefined ? undefined : flip(body, found.at + Math.floor(found.length / 2));
  });
  const [saved] = await Promise.all([tab.waitForEvent('download'), button.click()]);
  const original = await readFile(new URL('../../examples/models/digits/digits.onnx', import.meta.url));
  assert.ok((await readFile(await saved.path())).equals(original));
  assert.ok(changed() > 0, 'no answer of a shard was changed');

  spoiled = 'all';
  let downloads = 0;
  tab.on('download', () => (downloads += 1));
  await button.click();
  await tab.getByText(/digits\.onnx: .*did not verify|digits\.onnx: No shard gave chunk/).waitFor();
  assert.equal(downloads, 0);
  await screenshot(tab, 'failure-changed-chunk');
  await leave(context, tab);
});

test('should refuse the answer of a call whose certificate was changed on the way', async () => {
  const { context, tab } = await browser.visitor();
  const name = freshName();
  await fund(name, { icp: '3', tokens: '0' });
  await tab.goto(`${page}/wallet`);
  await signIn(tab, name);
  await tab.locator('[data-tid="balance-ICP"]').getByText('3 ICP').waitFor();
  await tamper(tab, '**/api/**/call', (body) => {
    const { certificate } = Cbor.decode(new Uint8Array(body));
    if (certificate === undefined) return undefined;
    const { signature } = Cbor.decode(certificate);
    return flip(body, body.indexOf(Buffer.from(signature)) + 20);
  });
  await tab.getByLabel('To (principal or ICRC account)').fill('aaaaa-aa');
  await tab.getByLabel('Amount').fill('1');
  await tab.getByRole('button', { name: 'Send' }).click();
  await tab.getByText('The answer did not verify and was thrown away').waitFor();
  await leave(context, tab);
});

test('should warn of a proposal that the network was asked about and whose answer was changed on the way', async () => {
  const { context, tab } = await browser.visitor();
  const changed = await tamper(tab, '**/api/**/call', (body, request) => {
    const { certificate } = methodOf(request) === 'get_proposal' ? Cbor.decode(new Uint8Array(body)) : {};
    if (certificate === undefined) return undefined;
    const { signature } = Cbor.decode(certificate);
    return flip(body, body.indexOf(Buffer.from(signature)) + 20);
  });
  await tab.goto(`${page}/proposals/1`);
  await tab.getByRole('alert').getByText('Do not vote by what one node says.').waitFor();
  assert.ok(changed() > 0);
  assert.equal(await tab.locator('[data-tid="certified"]').count(), 0);
  await screenshot(tab, 'failure-changed-proposal');
  await tab.unroute('**/api/**/call');
  await tab.getByRole('button', { name: 'Ask again' }).click();
  await tab.locator('[data-tid="certified"]').waitFor();
  assert.equal(await tab.getByRole('alert').count(), 0);
  await leave(context, tab);
});

test('should say that the network refused the signature of a request, and change nothing', async () => {
  const { context, tab } = await browser.visitor({ expectedErrors: LOADING });
  const name = freshName();
  await fund(name, { icp: '3', tokens: '0' });
  await tab.goto(`${page}/wallet`);
  await signIn(tab, name);
  await tab.locator('[data-tid="balance-ICP"]').getByText('3 ICP').waitFor();
  await tab.route('**/api/**/call', async (route) => {
    const envelope = route.request().postDataBuffer();
    const { sender_sig } = Cbor.decode(new Uint8Array(envelope));
    await route.continue({ postData: flip(envelope, envelope.indexOf(Buffer.from(sender_sig)) + 9) });
  });
  await tab.getByLabel('To (principal or ICRC account)').fill('aaaaa-aa');
  await tab.getByLabel('Amount').fill('1');
  await tab.getByRole('button', { name: 'Send' }).click();
  await tab.getByText('The network refused the signature').waitFor();
  await screenshot(tab, 'failure-rejected-signature');
  await tab.unroute('**/api/**/call');
  await tab.reload();
  await tab.locator('[data-tid="balance-ICP"]').getByText('3 ICP').waitFor();
  await leave(context, tab);
});

test('should say that the network is away, and go on when it is back', async () => {
  const { context, tab, errors } = await browser.visitor({ expectedErrors: LOADING });
  await tab.goto(`${page}/models`);
  await tab.getByRole('heading', { name: 'stoa/digits' }).waitFor();
  await context.setOffline(true);
  await tab.getByText('This device is offline').waitFor();
  await tab.getByLabel('Search').fill('digits');
  await tab.getByText('The network does not answer').waitFor({ timeout: 60_000 });
  await screenshot(tab, 'failure-offline');
  // A page whose code is not here yet: said in the page, not by the browser's own page.
  await tab.getByRole('link', { name: 'Neurons' }).click();
  await tab.getByRole('heading', { name: 'This page failed' }).waitFor({ timeout: 60_000 });
  await tab.getByText('The network does not answer').waitFor();
  await context.setOffline(false);
  await tab.getByText('This device is offline').waitFor({ state: 'detached' });
  await tab.getByRole('button', { name: 'Try again' }).click();
  await tab.getByRole('heading', { name: 'Neurons', level: 1 }).waitFor();
  await tab.getByRole('link', { name: 'Models', exact: true }).click();
  await tab.getByRole('heading', { name: 'stoa/digits' }).waitFor();
  assert.deepEqual(errors, []);
  await leave(context, tab);
});

test('should say so where the page comes and its canisters do not, and start on another try', async () => {
  const { context, tab } = await browser.visitor({ expectedErrors: LOADING });
  await tab.route('**/config.json', (route) => route.abort());
  await tab.goto(`${page}/models`);
  await tab.getByRole('heading', { name: 'Stoa cannot be reached' }).waitFor();
  await tab.unroute('**/config.json');
  await tab.getByRole('button', { name: 'Try again' }).click();
  await tab.getByRole('heading', { name: 'stoa/digits' }).waitFor();
  await leave(context, tab);
});

test('should show which canister is out of cycles, and the others as ever', async () => {
  // A Stoa of its own that is not handed over, so that its deployer may freeze a canister of it.
  const file = join(tmpdir(), `stoa-frozen-${freshName()}.json`);
  const own = stoaOf(file);
  await own.stoa('deploy', '--own-ids', '--inference', '2');
  const { frontend, inference, registry } = own.deployment();
  const agent = await HttpAgent.create({ host: process.env.STOA_ENDPOINT, identity: identityOf('deployer'), shouldFetchRootKey: true });
  const management = IcManagementCanister.create({ agent });
  const freeze = (canister, on) =>
    management.updateSettings({ canisterId: Principal.fromText(canister), settings: { freezingThreshold: on ? 10n ** 15n : 2_592_000n } });
  const [frozen] = inference;
  await freeze(frozen, true);

  const { context, tab } = await browser.visitor({ expectedErrors: LOADING });
  await tab.goto(`${pageOf(frontend)}/network`);
  const cards = tab.locator('[data-tid="inference"]');
  await cards.nth(1).waitFor();
  await cards.filter({ hasText: frozen }).getByText('out of cycles').waitFor();
  assert.equal(await cards.getByText('out of cycles').count(), 1);
  await tab.locator('[data-tid="shard"]').nth(1).waitFor();
  await screenshot(tab, 'failure-out-of-cycles');

  await freeze(registry, true);
  await tab.goto(`${pageOf(frontend)}/models`);
  await tab.getByText('out of cycles').waitFor();
  await freeze(registry, false);
  await tab.getByRole('button', { name: 'Try again' }).click();
  await tab.getByText('0 models').waitFor();
  await leave(context, tab);
});
