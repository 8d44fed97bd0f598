// What lives on the network and what it lives on, once the canisters have looked at each other: cycles over time as governance keeps
// them, and what shards say of themselves. Governance is upgraded for it by vote.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Principal } from '@icp-sdk/core/principal';

import { accessibilityProblems, actorOf, deployment, launch, modulePath, page, screenshot, stoa } from './world.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const adopt = () => stoa('vote', 'latest', 'yes', '--neuron', '1', '--wait');

async function until(what, probe) {
  // Governance looks again two minutes after it was installed, whatever holds its upgrade up on a busy machine.
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const found = await probe();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  throw new Error(`${what} did not come`);
}

test('should draw the cycles of each canister of the DAO as governance keeps them, also over its own upgrade', async () => {
  const governance = await actorOf('governance');
  const historyOf = (id) => governance.get_cycles_history(Principal.fromText(id));
  const [genesis] = await historyOf(deployment.governance);
  assert.ok(genesis !== undefined, 'governance does not know its own cycles');
  // After an upgrade it looks at all of them; else it would within the hour.
  await stoa('propose', 'upgrade', deployment.governance, modulePath('governance'));
  await stoa('vote', 'latest', 'yes', '--neuron', '1');
  const ids = [deployment.governance, deployment.registry, ...deployment.shards, ...deployment.inference, deployment.frontend];
  const histories = await until('a sample of each canister', async () => {
    const all = await Promise.all(ids.map((id) => historyOf(id).catch(() => [])));
    return all.every((samples) => samples.length > 0) ? new Map(ids.map((id, index) => [id, all[index]])) : undefined;
  });
  assert.deepEqual(histories.get(deployment.governance)[0], genesis);

  const { context, tab, errors } = await browser.visitor();
  await tab.goto(`${page}/network`);
  const cards = tab.locator('[data-tid="cycles"]');
  for (const id of ids) {
    const card = cards.filter({ hasText: id });
    await card.locator('canvas').waitFor();
    await card.getByText('As a table').click();
    const drawn = await card.locator('tbody tr td.number').allInnerTexts();
    assert.deepEqual(drawn.map(Number), histories.get(id).map(({ cycles }) => Number(cycles) / 1e12), id);
  }
  assert.deepEqual(await accessibilityProblems(tab), []);
  await screenshot(tab, 'network-cycles');
  assert.deepEqual(errors, []);
  await context.close();
});

test('should show what each shard holds, and that it has checked every byte of it', async () => {
  await stoa('fleet', 'policy', 'watch_seconds=5');
  await adopt();
  await stoa('fleet', 'scrub');
  await adopt();
  const { context, tab, errors } = await browser.visitor();
  await until('a check of all chunks', async () => {
    await tab.goto(`${page}/network`);
    await tab.locator('[data-tid="shard"]').nth(1).waitFor();
    return (await tab.locator('[data-tid="shard"]').getByText(/^[1-9]\d* pass(es)?$/).count()) === deployment.shards.length;
  });
  for (const text of await tab.locator('[data-tid="shard"]').allInnerTexts()) {
    assert.match(text, /of 16 GiB assigned/);
    assert.match(text, /Stored\s+[\d.]+ [KM]iB in [1-9]\d* chunks/);
    assert.match(text, /Damaged\s+0 chunks/);
    assert.match(text, /Cycles\s+[\d.]+ T cycles/);
  }
  await screenshot(tab, 'network-shards');
  assert.deepEqual(errors, []);
  await context.close();
});
