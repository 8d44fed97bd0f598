// What goes wrong: cards by enemies, answers and requests that were changed on the way, canisters without cycles, networks that are away.

import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { IcManagementCanister } from '@icp-sdk/canisters/ic-management';
import { HttpAgent } from '@icp-sdk/core/agent';
import { Principal } from '@icp-sdk/core/principal';

import { freshName, fund, identityOf, launch, page, pageOf, screenshot, signIn, stoa } from './world.mjs';

let browser;
let folder;
before(async () => {
  browser = await launch();
  folder = await mkdtemp(join(tmpdir(), 'stoa-trouble-'));
});
after(async () => {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

const HOSTILE_CARD = `# Innocent

<script>globalThis.harmed = 'script'</script>
<img src="x" onerror="globalThis.harmed = 'onerror'">
<img src="https://example.org/spy.png">
<iframe src="https://example.org/"></iframe>
<svg onload="globalThis.harmed = 'svg'"><foreignObject><input autofocus onfocus="globalThis.harmed = 'focus'"></foreignObject></svg>
<a href="javascript:globalThis.harmed = 'link'">A link</a>
<form action="https://example.org/"><button>Send</button></form>
<style>body { display: none }</style>
![huge](data:image/png;base64,${'A'.repeat(90_000)})
${'[x]('.repeat(2_000)}
${'> '.repeat(500)}deep
`;

test('should take the harm out of a card that attacks, and still show the model', async () => {
  const name = freshName();
  const path = join(folder, name);
  await cp(new URL('../../examples/models/digits/', import.meta.url), path, { recursive: true });
  await writeFile(join(path, 'README.md'), HOSTILE_CARD);
  await writeFile(join(path, 'model.toml'), (await readFile(join(path, 'model.toml'), 'utf8')).replace('name = "digits"', `name = "${name}"`));
  await stoa('model', 'push', path, '--publisher', 'stoa');

  const { context, tab, errors } = await browser.visitor();
  const elsewhere = [];
  tab.on('request', (request) => new URL(request.url()).host !== new URL(page).host && !request.url().startsWith('data:') && elsewhere.push(request.url()));
  await tab.goto(`${page}/models/stoa/${name}?version=1.0.0`);
  await tab.getByRole('heading', { name: 'Innocent' }).waitFor();
  await tab.getByText('A link').click();
  await screenshot(tab, 'trouble-hostile-card');
  assert.equal(await tab.evaluate(() => globalThis.harmed), undefined);
  assert.equal(await tab.locator('.markdown').locator('script, iframe, form, style, svg, input, [onerror], [onload]').count(), 0);
  assert.deepEqual(elsewhere, []);
  assert.deepEqual(errors, []);
  await context.close();
});

test('should throw away an answer that was changed on the way, and say so', async () => {
  const { context, tab } = await browser.visitor();
  await tab.route('**/api/**/query', async (route) => {
    const response = await route.fetch();
    const body = await response.body();
    const at = body.indexOf('digits');
    if (at >= 0) body[at] ^= 1;
    await route.fulfill({ response, body });
  });
  await tab.goto(`${page}/models`);
  await tab.getByRole('alert').getByText(/did not verify|verif/i).first().waitFor();
  assert.equal(await tab.getByRole('heading', { name: /igits/ }).count(), 0);
  await screenshot(tab, 'trouble-changed-answer');
  await tab.unroute('**/api/**/query');
  await tab.getByRole('button', { name: 'Try again' }).click();
  await tab.getByRole('heading', { name: 'stoa/digits' }).waitFor();
  await context.close();
});

test('should say that a signature was refused, and change nothing', async () => {
  const name = freshName();
  await fund(name, { icp: '2', tokens: '0' });
  const { context, tab } = await browser.visitor();
  await tab.goto(`${page}/wallet`);
  await signIn(tab, name);
  await tab.locator('[data-tid="balance-ICP"]').getByText('2 ICP').waitFor();
  await tab.route('**/api/**/call', async (route) => {
    const body = Buffer.from(route.request().postDataBuffer());
    // `sender_sig` is a byte string of 64 behind its name.
    const at = body.indexOf('sender_sig');
    body[at + 'sender_sig'.length + 10] ^= 1;
    await route.continue({ postData: body });
  });
  await tab.getByLabel('To (principal or ICRC account)').fill('aaaaa-aa');
  await tab.getByLabel('Amount').fill('1');
  await tab.getByRole('button', { name: 'Send' }).click();
  await tab.getByRole('alert').getByText(/signature/i).first().waitFor();
  await tab.unroute('**/api/**/call');
  await tab.reload();
  await tab.locator('[data-tid="balance-ICP"]').getByText('2 ICP').waitFor();
  await context.close();
});

test('should say that a canister is out of cycles and what to do', async () => {
  // A deployment of its own, whose inference canister has to keep more than it has.
  const file = join(folder, 'poor.json');
  await stoa('--deployment', file, 'deploy', '--own-ids', '--out', file);
  const poor = JSON.parse(await readFile(file, 'utf8'));
  const agent = await HttpAgent.create({ host: process.env.STOA_ENDPOINT, identity: identityOf('deployer'), shouldFetchRootKey: true });
  await IcManagementCanister.create({ agent }).updateSettings({
    canisterId: Principal.fromText(poor.inference[0]),
    settings: { freezingThreshold: 10n ** 12n },
  });
  const { context, tab } = await browser.visitor();
  await tab.goto(`${pageOf(poor.frontend)}/network`);
  await tab.getByRole('alert').getByText('out of cycles and answers no calls until somebody tops it up').waitFor();
  // What does not need it works.
  await tab.locator('[data-tid="shard"]').nth(1).waitFor();
  await tab.locator('[data-tid="treasury"]').waitFor();
  await screenshot(tab, 'trouble-out-of-cycles');
  await context.close();
});

test('should say that the network is away, and go on when it is back', async () => {
  const { context, tab } = await browser.visitor();
  await tab.route('**/api/**', (route) => route.abort());
  await tab.goto(`${page}/models`);
  await tab.getByRole('alert').getByText('The network does not answer').waitFor({ timeout: 60_000 });
  await tab.unroute('**/api/**');
  await tab.getByRole('button', { name: 'Try again' }).click();
  await tab.getByRole('heading', { name: 'stoa/digits' }).waitFor();
  await context.close();
});
