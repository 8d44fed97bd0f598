// What a neuron is for: votes with several at once, votes of who follows, parts, permissions of others, and tokens back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { freshName, fund, identityOf, launch, page, screenshot, signIn, stoa } from './world.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** A neuron of `tokens`, locked for 400 days unless it shall stay dissolved. */
async function stake(tab, tokens, { locked = true } = {}) {
  await tab.getByLabel(/^Tokens/).fill(String(tokens));
  await tab.getByRole('button', { name: 'Stake', exact: true }).first().click();
  const neuron = card(tab, tokens);
  await neuron.waitFor();
  if (!locked) return neuron;
  await neuron.getByText('Longer, larger, split').click();
  await neuron.getByLabel('Dissolve delay longer by days').fill('400');
  await neuron.getByRole('button', { name: 'Increase' }).click();
  await neuron.locator('[data-tid="delay"]').getByText('1 year').waitFor();
  return neuron;
}

const card = (tab, tokens) => tab.locator('[data-tid="neuron"]', { has: tab.locator('[data-tid="stake"]', { hasText: new RegExp(`^${tokens} tokens$`) }) });
const idOf = async (neuron) => neuron.locator('h3').getAttribute('title');

/** By who deployed, whose smaller neuron does not decide alone. */
async function motion(title) {
  const said = JSON.parse(await stoa('--json', 'propose', 'motion', title, 'Only to be voted on.'));
  return said.proposal_id ?? said.proposal ?? said.id;
}

async function holder() {
  const name = freshName();
  await fund(name, { icp: '1', tokens: '100' });
  const visitor = await browser.visitor();
  await visitor.tab.goto(`${page}/neurons`);
  await signIn(visitor.tab, name);
  return { name, ...visitor };
}

const line = (tab, id) => tab.locator('label.row', { hasText: id.slice(0, 16) });

test('should vote with several neurons at once, and with those that follow', async () => {
  const { context, tab, errors } = await holder();
  const ids = [];
  for (const tokens of [20, 21, 22, 23]) ids.push(await idOf(await stake(tab, tokens)));
  const [first, second, abstaining, follower] = ids;

  const following = card(tab, 23);
  await following.getByText('Following', { exact: true }).click();
  await following.getByLabel('Topic').selectOption('Governance');
  await following.getByLabel('Neurons to follow').fill(first);
  await following.getByRole('button', { name: 'Set', exact: true }).click();
  await following.getByText('Follows on governance').waitFor();
  await following.getByText(first.slice(0, 8)).first().waitFor();

  const proposal = await motion(`Several ${freshName()}`);
  await tab.goto(`${page}/proposals/${proposal}`);
  await line(tab, first).getByRole('checkbox').check();
  await line(tab, second).getByRole('checkbox').check();
  await tab.getByRole('button', { name: 'Vote no' }).click();
  await tab.getByText('Voted with 2 neurons.').waitFor();
  for (const id of [first, second, follower]) await line(tab, id).getByText('voted no').waitFor();
  await line(tab, abstaining).getByText('may vote').waitFor();
  assert.equal(await line(tab, abstaining).getByRole('checkbox').isEnabled(), true);
  assert.equal(await line(tab, first).getByRole('checkbox').isEnabled(), false);
  await screenshot(tab, 'neurons-voted');

  // It follows nobody any more: its own vote is needed again.
  await tab.goto(`${page}/neurons`);
  await following.getByText('Following', { exact: true }).click();
  await following.getByLabel('Topic').selectOption('Governance');
  await following.getByRole('button', { name: 'Set', exact: true }).click();
  await tab.getByText('It follows nobody on this topic.').waitFor();
  const next = await motion(`Nobody ${freshName()}`);
  await tab.goto(`${page}/proposals/${next}`);
  await line(tab, first).getByRole('checkbox').check();
  await tab.getByRole('button', { name: 'Vote yes' }).click();
  await line(tab, first).getByText('voted yes').waitFor();
  await line(tab, follower).getByText('may vote').waitFor();
  assert.deepEqual(errors, []);
  await context.close();
});

test('should split a neuron and give the tokens of a dissolved one back', async () => {
  const { context, tab, errors } = await holder();
  const whole = await stake(tab, 30, { locked: false });
  await whole.getByText('Longer, larger, split').click();
  await whole.getByLabel('Split off tokens').fill('12');
  await whole.getByRole('button', { name: 'Split', exact: true }).click();
  await card(tab, 18).waitFor();
  // The ledger's fee is the part's.
  const part = tab.locator('[data-tid="neuron"]', { hasText: '11.99' });
  await part.waitFor();
  assert.notEqual(await idOf(part), await idOf(card(tab, 18)));
  await part.getByRole('button', { name: 'Disburse', exact: true }).click();
  await tab.getByText('The tokens are in your wallet.').waitFor();
  await part.waitFor({ state: 'detached' });
  await card(tab, 18).waitFor();
  // 100 less 30 staked, and 12 back, less fees.
  await tab.getByLabel(/^Tokens, of 81\.99/).waitFor();
  // What is locked has no such button.
  const locked = await stake(tab, 20);
  assert.equal(await locked.getByRole('button', { name: 'Disburse', exact: true }).count(), 0);
  assert.deepEqual(errors, []);
  await context.close();
});

test('should let another vote with a neuron, until that is taken away', async () => {
  await stoa('propose', 'parameters', 'neuron_grantable_permissions=record { permissions = vec { 4 : int32 } }');
  await stoa('vote', 'latest', 'yes', '--neuron', '1', '--wait');
  const { context, tab, errors } = await holder();
  const neuron = await stake(tab, 25);
  const id = await idOf(neuron);
  const other = freshName();
  const principal = identityOf(other).getPrincipal().toText();

  await neuron.getByText('Permissions', { exact: true }).click();
  await neuron.getByText('The DAO lets holders give: vote.').waitFor();
  await neuron.getByLabel('Principal').fill(principal);
  // More than may be given is not offered.
  assert.equal(await neuron.getByRole('button', { name: 'Give' }).isEnabled(), false);
  await neuron.getByLabel('make proposals').uncheck();
  await neuron.getByLabel('vote', { exact: true }).check();
  await neuron.getByRole('button', { name: 'Give' }).click();
  const listed = neuron.locator('li', { hasText: principal });
  await listed.waitFor();
  assert.match(await listed.innerText(), /: vote$/);

  const proposal = await motion(`Lent ${freshName()}`);
  const guest = await browser.visitor();
  await guest.tab.goto(`${page}/proposals/${proposal}`);
  await signIn(guest.tab, other);
  await line(guest.tab, id).getByRole('checkbox').check();
  await guest.tab.getByRole('button', { name: 'Vote yes' }).click();
  await line(guest.tab, id).getByText('voted yes').waitFor();

  await neuron.getByLabel('Principal').fill(principal);
  await neuron.getByRole('button', { name: 'Take away' }).click();
  await listed.waitFor({ state: 'detached' });
  await guest.tab.goto(`${page}/proposals/${await motion(`Taken ${freshName()}`)}`);
  await guest.tab.getByText('You have no neuron that may vote.').waitFor();
  assert.deepEqual([...errors, ...guest.errors], []);
  await guest.context.close();
  await context.close();
});
