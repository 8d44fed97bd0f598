// Each page's main path, and each page to axe, on a phone and in the dark.

import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Principal } from '@icp-sdk/core/principal';

import { publish } from './models.mjs';
import { accessibilityProblems, actorOf, deployment, freshName, fund, launch, page, screenshot, signIn, stoa } from './world.mjs';

const SAMPLE = new URL('../../examples/models/digits/samples/one-digit.json', import.meta.url);

let browser;
const somebody = freshName();
before(async () => {
  [browser] = await Promise.all([launch(), fund(somebody)]);
});
after(() => browser.close());

const PAGES = [
  ['models', '/models', 'stoa/digits'],
  ['model', '/models/stoa/digits', 'What happened'],
  ['try', '/models/stoa/digits/try', 'Input'],
  ['publish', '/publish', '1. The folder'],
  ['proposals', '/proposals', 'Proposals'],
  ['proposal', '/proposals/1', 'Tally'],
  ['new-proposal', '/proposals/new', 'Make a proposal'],
  ['neurons', '/neurons', 'Stake'],
  ['wallet', '/wallet', 'Send'],
  ['network', '/network', 'Treasury'],
];

for (const look of [
  { name: 'light', viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  { name: 'phone-dark', viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
]) {
  test(`should keep nobody out of any page and log no errors (${look.name})`, async () => {
    const { context, tab, errors } = await browser.visitor(look);
    await tab.goto(page);
    await signIn(tab, somebody);
    const problems = [];
    for (const [name, path, heading] of PAGES) {
      await tab.goto(`${page}${path}`);
      await tab.getByRole('heading', { name: heading, exact: true }).first().waitFor();
      await tab.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);
      await screenshot(tab, `${name}-${look.name}`);
      problems.push(...(await accessibilityProblems(tab)).map((problem) => `${path}: ${problem}`));
      const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (overflow > 1) problems.push(`${path}: ${overflow} pixels wider than the window`);
    }
    assert.deepEqual(problems, []);
    assert.deepEqual(errors, []);
    await context.close();
  });
}

test('should find models while typing, and say what to do where there are none', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models`);
  await tab.getByRole('heading', { name: 'stoa/digits' }).waitFor();
  await tab.getByLabel('Search').fill('no such thing');
  await tab.getByText('No admitted model fits').waitFor();
  await tab.getByLabel('Search').fill('digit');
  const card = tab.getByRole('heading', { name: 'stoa/digits' });
  await card.waitFor();
  // Each filter finds it by what it has, and not by what it lacks.
  for (const [label, fits, fitsNot] of [['Task', 'image-classification', 'fill-mask'], ['Tag', 'digits', 'cats'], ['Licence', 'Apache-2.0', 'MIT']]) {
    await tab.getByLabel(label, { exact: true }).fill(fitsNot);
    await card.waitFor({ state: 'detached' });
    await tab.getByLabel(label, { exact: true }).fill(fits);
    await card.waitFor();
  }
  assert.deepEqual(errors, []);
  await context.close();
});

test('should say what was verified and by which key, and save a file whose every chunk was hashed', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/stoa/digits`);
  await tab.getByTestId('verified').waitFor().catch(() => undefined);
  await tab.locator('[data-tid="verified"] summary').click();
  await tab.getByText('which is what was voted on').waitFor();
  assert.match(await tab.locator('[data-tid="verified"]').innerText(), /SHA-256 begins with\s+[0-9a-f]{16}/);
  // The same digest, sizes, hashes and CIDs as the command line's, which shares no code with the page.
  const { proven } = JSON.parse(await stoa('--json', 'model', 'show', 'stoa/digits'));
  assert.ok((await tab.locator('[data-tid="verified"]').innerText()).includes(proven.version));
  const row = tab.locator('tr', { hasText: 'digits.onnx' });
  const { sha256, cid } = proven.files.find(({ path }) => path === 'digits.onnx');
  for (const part of [sha256.slice(0, 24), cid.slice(0, 24), '67.9 KiB']) assert.ok((await row.innerText()).includes(part), part);
  const [saved] = await Promise.all([
    tab.waitForEvent('download'),
    tab.getByRole('button', { name: 'Download digits.onnx' }).click(),
  ]);
  const original = await readFile(new URL('../../examples/models/digits/digits.onnx', import.meta.url));
  assert.ok((await readFile(await saved.path())).equals(original));
  await tab.locator('[data-tid="trail"] li').first().waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('should draw paid calls and what they earned, with the numbers as a table', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/stoa/digits`);
  const paid = tab.locator('section', { has: tab.getByRole('heading', { name: 'Paid calls' }) });
  // The walk paid for one.
  await paid.getByText(/^1 call for 0\.\d+ ICP/).waitFor();
  await paid.locator('canvas').nth(1).waitFor();
  const [calls, earned] = await paid.locator('figure').all();
  await calls.getByText('As a table').click();
  assert.match(await calls.locator('tbody').innerText(), /\t1$/);
  await earned.getByText('As a table').click();
  assert.match(await earned.locator('tbody').innerText(), /\t0\.\d+$/);
  assert.match(await earned.locator('thead').innerText(), /ICP/);
  assert.deepEqual(errors, []);
  await context.close();
});

test('should tell what happened to a version, by whom and by which vote', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/stoa/digits`);
  const trail = tab.locator('[data-tid="trail"]');
  await trail.locator('li').first().waitFor();
  const lines = await trail.locator('li').allInnerTexts();
  assert.match(lines.find((line) => /to: admitted/.test(line)) ?? '', /proposal id: 1\b/);
  for (const what of [/claimed publisher/, /to: sealed/, /to: proposed/, /set price/]) assert.ok(lines.some((line) => what.test(line)), String(what));
  for (const line of lines) assert.match(line, /by [a-z0-9-]+$/);
  assert.deepEqual(errors, []);
  await context.close();
});

test('should show the vote that admitted it, each version, and what its names mean', async () => {
  const handle = freshName();
  const path = await mkdtemp(join(tmpdir(), 'stoa-versions-'));
  await cp(new URL('../../examples/models/digits/', import.meta.url), path, { recursive: true });
  const toml = await readFile(join(path, 'model.toml'), 'utf8');
  await publish(path, handle, 'digits', { load: false });
  await writeFile(join(path, 'model.toml'), toml.replace('version = "1.0.0"', 'version = "1.1.0"'));
  await publish(path, handle, 'digits', { load: false, claimed: true, semver: '1.1.0' });
  await rm(path, { recursive: true });
  const [older, newer] = await Promise.all(
    ['1.0.0', '1.1.0'].map(async (semver) => JSON.parse(await stoa('--json', 'model', 'show', `${handle}/digits@${semver}`)).proven.version),
  );
  const answer = await (await actorOf('registry')).set_alias({ model: `${handle}/digits`, alias: 'steady', version: [Buffer.from(older, 'hex')] });
  assert.ok('Ok' in answer, JSON.stringify(answer));

  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/${handle}/digits`);
  const facts = tab.locator('section', { has: tab.getByRole('heading', { name: 'Facts' }) });
  await facts.getByText(newer).waitFor();
  assert.match(await facts.innerText(), new RegExp(`@steady\\s+${older.slice(0, 16)}`));
  const vote = tab.locator('section', { has: tab.getByRole('heading', { name: 'The vote' }) });
  await vote.getByText(/^Proposal \d+: executed$/).waitFor();
  await vote.getByRole('img', { name: /Yes \d+\.\d\d %/ }).waitFor();
  await tab.getByRole('combobox', { name: /^Version/ }).selectOption('1.0.0');
  await facts.getByText(older).waitFor();
  assert.equal(new URL(tab.url()).searchParams.get('version'), '1.0.0');
  await tab.goBack();
  await facts.getByText(newer).waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('should list proposals by what became of them', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/proposals`);
  const list = tab.locator('.list');
  await list.getByText('Admit stoa/digits 1.0.0').waitFor();
  await tab.getByRole('button', { name: 'Open', exact: true }).click();
  await tab.waitForFunction(() => document.querySelector('[aria-busy="true"]') === null);
  assert.equal(await list.getByText('Admit stoa/digits 1.0.0').count(), 0);
  await tab.getByRole('button', { name: 'Executed', exact: true }).click();
  await list.getByText('Admit stoa/digits 1.0.0').click();
  await tab.getByRole('heading', { name: 'Admit stoa/digits 1.0.0', level: 1 }).waitFor();
  // How it stands comes with a proof.
  await tab.locator('[data-tid="certified-tally"]').waitFor();
  // What is voted on is asked for through consensus.
  await tab.locator('[data-tid="certified"]').waitFor();
  await tab.getByText('Version (SHA-256 of the manifest)').waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('should walk a family from child to parent and back', async () => {
  const name = `child-${freshName()}`;
  const handle = freshName();
  const path = await mkdtemp(join(tmpdir(), 'stoa-child-'));
  const [, parent] = /"version": "([0-9a-f]{64})"/.exec(await stoa('--json', 'model', 'show', 'stoa/digits'));
  await cp(new URL('../../examples/models/digits/', import.meta.url), path, { recursive: true });
  const toml = await readFile(join(path, 'model.toml'), 'utf8');
  await writeFile(
    join(path, 'model.toml'),
    toml.replace('name = "digits"', `name = "${name}"`).replace('[lineage]', `[lineage]\nparents = [{ version = "${parent}", relation = "finetune" }]`),
  );
  await publish(path, handle, name, { load: false });
  await rm(path, { recursive: true });

  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/models/${handle}/${name}`);
  const family = tab.getByRole('group', { name: /^Lineage/ });
  await family.getByText('finetune').waitFor();
  await family.getByRole('link', { name: 'stoa/digits@1.0.0' }).click();
  await tab.getByRole('heading', { name: 'stoa/digits', level: 1 }).waitFor();
  await family.getByRole('link', { name: `${handle}/${name}@1.0.0` }).focus();
  await tab.keyboard.press('Enter');
  await tab.getByRole('heading', { name: `${handle}/${name}`, level: 1 }).waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('should be used with the keyboard alone', async () => {
  const { context, tab } = await browser.visitor();
  await tab.goto(`${page}/models`);
  await tab.getByRole('heading', { name: 'stoa/digits' }).waitFor();
  await tab.keyboard.press('Tab');
  assert.equal(await tab.evaluate(() => document.activeElement?.textContent), 'Skip to the content');
  await tab.keyboard.press('Enter');
  for (let presses = 0; presses < 30; presses += 1) {
    await tab.keyboard.press('Tab');
    if (await tab.evaluate(() => document.activeElement?.getAttribute('href') === '/models/stoa/digits')) break;
  }
  await tab.keyboard.press('Enter');
  await tab.getByRole('heading', { name: 'stoa/digits', level: 1 }).waitFor();
  await context.close();
});

test('should stake, lock and dissolve a neuron, with every number in its unit', async () => {
  const { context, tab, errors } = await browser.visitor();
  const name = freshName();
  await fund(name);
  await tab.goto(`${page}/neurons`);
  await signIn(tab, name);
  await tab.getByLabel(/^Tokens/).fill('20');
  await tab.getByRole('button', { name: 'Stake', exact: true }).first().click();
  const neuron = tab.locator('[data-tid="neuron"]');
  await neuron.getByText('20 tokens').waitFor();
  await neuron.getByText('Longer, larger, split').click();
  await neuron.getByLabel('Dissolve delay longer by days').fill('400');
  await neuron.getByRole('button', { name: 'Increase' }).click();
  await neuron.locator('[data-tid="delay"]').getByText('1 year').waitFor();
  await neuron.getByRole('button', { name: 'Start dissolving' }).click();
  await neuron.getByRole('button', { name: 'Stop dissolving' }).waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('should send tokens and keep credit for calls', async () => {
  const { context, tab, errors } = await browser.visitor();
  const name = freshName();
  await fund(name, { icp: '3', tokens: '0' });
  await tab.goto(`${page}/wallet`);
  await signIn(tab, name);
  await tab.locator('[data-tid="balance-ICP"]').getByText('3 ICP').waitFor();
  await tab.getByLabel('To (principal or ICRC account)').fill('aaaaa-aa');
  await tab.getByLabel('Amount').fill('1');
  await tab.getByRole('button', { name: 'Send' }).click();
  await tab.locator('[data-tid="balance-ICP"]').getByText('1.9999 ICP').waitFor();
  await tab.getByLabel('ICP', { exact: true }).fill('0.5');
  await tab.getByRole('button', { name: 'Deposit' }).click();
  await tab.locator('[data-tid="credit-icp"]').getByText('0.5 ICP').waitFor();
  await tab.getByRole('button', { name: 'Withdraw all' }).click();
  await tab.locator('[data-tid="credit-icp"]').getByText('0 ICP').waitFor();
  await tab.getByLabel('Amount').fill('100');
  await tab.getByLabel('To (principal or ICRC account)').fill('aaaaa-aa');
  await tab.getByRole('button', { name: 'Send' }).click();
  await tab.getByText('are needed, the fee included').waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('should run from credit, and give authors what their models earned', async () => {
  const { context, tab, errors } = await browser.visitor();
  const name = freshName();
  await fund(name, { icp: '3', tokens: '0' });
  await tab.goto(`${page}/wallet`);
  await signIn(tab, name);
  await tab.getByLabel('ICP', { exact: true }).fill('1');
  await tab.getByRole('button', { name: 'Deposit' }).click();
  await tab.locator('[data-tid="credit-icp"]').getByText('1 ICP').waitFor();
  const balance = tab.locator('[data-tid="balance-ICP"]');
  const left = await balance.innerText();

  await tab.goto(`${page}/models/stoa/digits/try`);
  await tab.getByRole('button', { name: 'Tensors' }).click();
  await tab.locator('[data-tid="tensors-json"]').fill(await readFile(SAMPLE, 'utf8'));
  await tab.getByRole('button', { name: 'Price of a paid run' }).click();
  await tab.getByRole('button', { name: 'Run from credit' }).click();
  await tab.locator('[data-tid="receipt-verified"]').waitFor();
  const [paid] = /[\d.]+(?= ICP)/.exec(await tab.locator('[data-tid="paid"] dd').first().innerText());
  // The credit has paid, and the account nothing.
  await tab.goto(`${page}/wallet`);
  const credit = tab.locator('[data-tid="credit-icp"]');
  await credit.waitFor();
  const e8s = (text) => Math.round(Number(text) * 1e8);
  assert.equal(e8s(await credit.innerText().then((text) => text.split(' ')[0])), 1e8 - e8s(paid));
  assert.ok(e8s(paid) > 0);
  await balance.waitFor();
  assert.equal(await balance.innerText(), left);
  await context.close();

  // Who published it.
  const author = await browser.visitor();
  await author.tab.goto(`${page}/wallet`);
  await signIn(author.tab, 'deployer');
  const claim = author.tab.getByRole('button', { name: 'Claim the ICP' });
  await claim.click();
  await author.tab.getByText('They are on their way to your account.').waitFor();
  await claim.waitFor({ state: 'detached' });
  assert.deepEqual([...errors, ...author.errors], []);
  await author.context.close();
});

test('should take back what an inference canister may still take', async () => {
  const { context, tab, errors } = await browser.visitor();
  const name = freshName();
  await fund(name, { icp: '3', tokens: '0' });
  await stoa('approve', '2', '--identity', `dev:${name}`);
  await tab.goto(`${page}/wallet`);
  await signIn(tab, name);
  const credit = tab.locator('[data-tid="credit"]').first();
  await credit.getByText('2 ICP from your account').waitFor();
  await credit.getByRole('button', { name: 'Take that back' }).click();
  await credit.getByText('0 ICP from your account').waitFor();
  assert.equal(await credit.getByRole('button', { name: 'Take that back' }).count(), 0);
  assert.deepEqual(errors, []);
  await context.close();
});

test('should show shards, inference canisters and the treasury with their cycles', async () => {
  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/network`);
  await tab.locator('[data-tid="shard"]').nth(1).waitFor();
  assert.match(await tab.locator('[data-tid="inference"]').innerText(), /\d T cycles/);
  const runner = tab.locator('[data-tid="inference"]');
  await runner.getByText('stoa/digits@1.0.0').waitFor();
  assert.match(await runner.innerText(), /of memory for models[\s\S]*\d ICP or \d+ M cycles for a billion instructions/);
  await runner.getByRole('button', { name: 'Ask for a top-up' }).click();
  await tab.locator('.notice').getByText(/top-up|topping up/i).waitFor();
  assert.match(await tab.locator('[data-tid="treasury"]').innerText(), /ICP\n.*\d ICP/);
  // Every canister of the DAO by name, and of governance what it keeps of itself since genesis.
  const cycles = tab.locator('[data-tid="cycles"]');
  const roles = await cycles.locator('h3').allInnerTexts();
  const expected = [
    `Governance ${deployment.governance}`,
    `Registry ${deployment.registry}`,
    ...deployment.shards.toSorted().map((id) => `Shard ${id}`),
    ...deployment.inference.map((id) => `Inference ${id}`),
    `Web page ${deployment.frontend}`,
  ];
  assert.deepEqual(roles, expected);
  const [kept] = await (await actorOf('governance')).get_cycles_history(Principal.fromText(deployment.governance));
  const own = cycles.first();
  assert.match(await own.innerText(), /Had\s+[\d.]+ T cycles on /);
  await own.locator('canvas').waitFor();
  await own.getByText('As a table').click();
  const rows = await own.locator('tbody tr').allInnerTexts();
  assert.equal(Number(rows[0].split('\t')[1]), Number(kept.cycles) / 1e12);
  assert.deepEqual(errors, []);
  await context.close();
});
