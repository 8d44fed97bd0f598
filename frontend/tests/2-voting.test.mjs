// What time does to proposals and to who voted on them, in periods of seconds instead of days: the countdown, the deadline that moves,
// a tally that lives, rewards and what becomes of them. The rules are put back afterwards; by who deployed, who decides until somebody in 3-life holds more.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { freshName, fund, launch, page, screenshot, signIn, stoa } from './world.mjs';

const DAY = 86_400;
let browser;
before(async () => {
  browser = await launch();
});
after(async () => {
  await browser.close();
  await rules({ period: 4 * DAY, increase: DAY, rate: 0, round: DAY });
});

/** By vote: how long proposals are open, what a turn adds, and what of the supply a year's rewards are, in basis points. */
async function rules({ period, increase, rate, round }) {
  const rewards = { initial_reward_rate_basis_points: rate, final_reward_rate_basis_points: rate, round_duration_seconds: round };
  const fields = Object.entries(rewards).map(([name, value]) => `${name} = opt (${value} : nat64)`);
  await stoa(
    'propose',
    'parameters',
    `initial_voting_period_seconds=${period} : nat64`,
    `wait_for_quiet_deadline_increase_seconds=${increase} : nat64`,
    `voting_rewards_parameters=record { ${fields.join('; ')} }`,
    '--title',
    `Rules for tests ${freshName()}`,
  );
  await stoa('vote', 'latest', 'yes', '--neuron', '1', '--wait');
}

const motion = async () => JSON.parse(await stoa('--json', 'propose', 'motion', `Of time ${freshName()}`, 'Only to be voted on.')).proposal;

/** Somebody with a neuron of `tokens` that is locked for long enough to vote. */
async function voter(tokens) {
  const name = freshName();
  await fund(name, { icp: '0', tokens: String(tokens + 1) });
  const visitor = await browser.visitor();
  const { tab } = visitor;
  await tab.goto(`${page}/neurons`);
  await signIn(tab, name);
  await tab.getByLabel(/^Tokens/).fill(String(tokens));
  await tab.getByRole('button', { name: 'Stake', exact: true }).first().click();
  const neuron = tab.locator('[data-tid="neuron"]');
  await neuron.getByText('Longer, larger, split').click();
  await neuron.getByLabel('Dissolve delay longer by days').fill('400');
  await neuron.getByRole('button', { name: 'Increase' }).click();
  await neuron.locator('[data-tid="delay"]').getByText('1 year').waitFor();
  return { ...visitor, neuron };
}

async function vote(tab, proposal, choice) {
  await tab.goto(`${page}/proposals/${proposal}`);
  await tab.locator('label.row').getByRole('checkbox').check();
  await tab.getByRole('button', { name: `Vote ${choice}` }).click();
  await tab.getByText(`voted ${choice}`).waitFor();
}

test('should count down, show votes as they come, and move the deadline when a late vote turns the outcome', async () => {
  // Long enough for a slow machine to vote in, and shown in seconds; a vote is late from `period - 2 * increase` on, so each is.
  await rules({ period: 50, increase: 30, rate: 0, round: DAY });
  const { context, tab, errors } = await voter(200);
  const onlooker = await browser.visitor();
  // Who proposes votes yes, with little.
  const proposal = await motion();
  await onlooker.tab.goto(`${page}/proposals/${proposal}`);
  const timer = onlooker.tab.getByRole('timer');
  await timer.getByText(/^\d+ seconds left to vote$/).waitFor();
  const first = Number.parseInt(await timer.innerText(), 10);
  assert.ok(first <= 50, `${first} seconds`);
  await onlooker.tab.waitForFunction(
    (before) => Number.parseInt(document.querySelector('[role="timer"]')?.textContent ?? '', 10) < before,
    first,
  );
  // Both thresholds are drawn where they are: 3 % of all votes, and half of them.
  assert.deepEqual(
    await onlooker.tab.locator('svg line.mark').evaluateAll((lines) => lines.map((line) => Number(line.getAttribute('x1')))),
    [300, 5_000],
  );
  const tally = onlooker.tab.locator('figcaption');
  const deadline = onlooker.tab.locator('[data-tid="deadline"]');
  assert.match(await tally.innerText(), /No 0\.00 % \(0 votes\)/);
  assert.doesNotMatch(await deadline.innerText(), /later than/);

  await vote(tab, proposal, 'no');
  // The onlooker has touched nothing.
  await deadline.getByText('later than it was at first, because late votes turned the outcome').waitFor();
  assert.match(await tally.innerText(), /No (?!0\.00 %)\d+\.\d\d % \([\d .]+ votes\)/);
  await screenshot(onlooker.tab, 'proposal-deadline-moved');
  await onlooker.tab.getByText('Rejected', { exact: true }).waitFor({ timeout: 120_000 });
  assert.equal(await timer.count(), 0);
  assert.deepEqual([...errors, ...onlooker.errors], []);
  await onlooker.context.close();
  await context.close();
});

const E8S = 100_000_000n;
/** `1 234.5` in the ledger's smallest unit. */
function units(text) {
  const [whole, fraction = ''] = text.replaceAll(' ', '').split('.');
  return BigInt(whole) * E8S + BigInt(fraction.padEnd(8, '0'));
}

test('should stake what voting earned, and have it minted into the wallet', async () => {
  await rules({ period: 20, increase: 0, rate: 1_000, round: 1 });
  const { context, tab, errors, neuron } = await voter(2_000);
  const maturity = neuron.locator('[data-tid="maturity"]');
  const shown = async () => {
    const [, free, staked] = /^([\d .]+) tokens?, and ([\d .]+) staked$/.exec(await maturity.innerText());
    return { free: units(free), staked: units(staked) };
  };
  /** Votes, and waits until the round after the vote has been shared out. */
  const earn = async (has = ({ free }) => free > 0n) => {
    await vote(tab, await motion(), 'yes');
    for (let attempt = 0; attempt < 60; attempt += 1) {
      await tab.goto(`${page}/neurons`);
      await maturity.waitFor();
      if (has(await shown())) return shown();
      await tab.waitForTimeout(1_000);
    }
    throw new Error('no rewards came');
  };
  assert.deepEqual(await shown(), { free: 0n, staked: 0n });
  await neuron.getByText('Longer, larger, split').click();
  assert.equal(await neuron.getByRole('button', { name: /the maturity$/ }).count(), 0);

  const first = await earn();
  await neuron.getByText('Longer, larger, split').click();
  await screenshot(tab, 'neurons-maturity');
  await neuron.getByRole('button', { name: 'Stake the maturity' }).click();
  await tab.getByText('The maturity is staked.').waitFor();
  await maturity.getByText(/^0 tokens, and (?!0 )/).waitFor();
  assert.deepEqual(await shown(), { free: 0n, staked: first.free });

  const second = await earn();
  assert.equal(second.staked, first.free);
  const wallet = async () => units(/^Tokens, of ([\d .]+) in your wallet/.exec(await tab.locator('label', { hasText: /^Tokens, of/ }).innerText())[1]);
  const before = await wallet();
  await neuron.getByText('Longer, larger, split').click();
  await neuron.getByRole('button', { name: 'Disburse the maturity' }).click();
  await tab.getByText('The maturity was minted into your wallet.').waitFor();
  await maturity.getByText(/^0 tokens, and (?!0 )/).waitFor();
  assert.equal((await wallet()) - before, second.free);
  assert.equal((await shown()).staked, first.free);

  await neuron.getByLabel('Stake new maturity by itself').check();
  await tab.getByText('New maturity is staked by itself.').waitFor();
  const third = await earn(({ staked }) => staked > first.free);
  assert.equal(third.free, 0n);
  await neuron.getByText('Longer, larger, split').click();
  assert.ok(await neuron.getByLabel('Stake new maturity by itself').isChecked());
  assert.deepEqual(errors, []);
  await context.close();
});
