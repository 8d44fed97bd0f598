// Every kind of proposal has a form, and what the form makes governance takes: its own kinds and the functions of the canisters.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { accessibilityProblems, deployment, freshName, fund, identityOf, launch, page, screenshot, signIn } from './world.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

async function proposer() {
  const name = freshName();
  await fund(name, { icp: '1', tokens: '200' });
  const visitor = await browser.visitor();
  const { tab } = visitor;
  await tab.goto(`${page}/neurons`);
  await signIn(tab, name);
  await tab.getByLabel(/^Tokens/).fill('150');
  await tab.getByRole('button', { name: 'Stake', exact: true }).first().click();
  const neuron = tab.locator('[data-tid="neuron"]');
  await neuron.getByText('150 tokens').waitFor();
  await neuron.getByText('Longer, larger, split').click();
  await neuron.getByLabel('Dissolve delay longer by days').fill('400');
  await neuron.getByRole('button', { name: 'Increase' }).click();
  await neuron.locator('[data-tid="delay"]').getByText('1 year').waitFor();
  return { name, ...visitor };
}

/** The form of one kind, with a title and a summary. */
async function begin(tab, kind) {
  await tab.goto(`${page}/proposals/new`);
  const select = tab.locator('[data-tid="kind"]');
  await select.waitFor();
  await select.selectOption(kind);
  const title = `${freshName()} ${kind}`.slice(0, 200);
  await tab.getByLabel('Title').fill(title);
  await tab.getByLabel(/^Summary/).fill('Made by a test.');
  return title;
}

async function propose(tab, title) {
  await tab.getByRole('button', { name: 'Propose', exact: true }).click();
  await tab.getByRole('heading', { name: title }).waitFor().catch(async (error) => {
    const alert = await tab.getByRole('alert').first().innerText({ timeout: 1_000 }).catch(() => 'nothing');
    throw new Error(`${title}: the page said ${alert}`, { cause: error });
  });
  await tab.getByRole('heading', { name: 'Tally' }).waitFor();
  return tab.locator('section', { has: tab.getByRole('heading', { name: /^What (would happen|happened|was to happen)$/ }) }).innerText();
}

/** Ticks an optional field and fills what appears below it. */
async function option(tab, label, value) {
  await tab.getByRole('checkbox', { name: label, exact: true }).check();
  await tab.getByRole('textbox', { name: new RegExp(`^${label}`) }).fill(value);
}

const ME = () => identityOf('deployer').getPrincipal().toText();

/** What is filled in for each of governance's own kinds, and what voters are told of it. */
const NATIVE = {
  Motion: { fill: (tab) => tab.getByRole('textbox', { name: 'motion text' }).fill('That we go on.'), told: /go on/ },
  ManageNervousSystemParameters: { fill: (tab) => option(tab, 'reject cost e8s', '120000000'), told: /reject.cost/i },
  TransferSnsTreasuryFunds: {
    fill: async (tab) => {
      await tab.getByRole('textbox', { name: /^from treasury/ }).fill('1');
      await option(tab, 'to principal', ME());
      await tab.getByRole('textbox', { name: /^amount e8s/ }).fill('1000');
    },
    told: /0\.00001|1[ _,]?000/,
  },
  UpgradeSnsControlledCanister: {
    fill: async (tab) => {
      await tab.getByRole('group', { name: 'new canister wasm' }).getByLabel('In hexadecimal').fill('0061736d01000000');
      await option(tab, 'canister id', deployment.registry);
    },
    told: new RegExp(deployment.registry),
  },
  AddGenericNervousSystemFunction: {
    fill: async (tab) => {
      await tab.getByRole('textbox', { name: /^id/ }).fill(String(2_000 + Math.floor(Math.random() * 1e6)));
      await tab.getByRole('textbox', { name: /^name/ }).fill('A function');
      await tab.getByRole('checkbox', { name: 'function type', exact: true }).check();
      await tab.getByLabel('function type').last().selectOption('GenericNervousSystemFunction');
      await option(tab, 'validator canister id', deployment.registry);
      await option(tab, 'target canister id', deployment.registry);
      await option(tab, 'validator method name', 'validate_grow_fleet');
      await option(tab, 'target method name', 'grow_fleet');
      await tab.getByRole('checkbox', { name: 'topic', exact: true }).check();
      await tab.getByLabel('topic').last().selectOption('ApplicationBusinessLogic');
    },
    told: /grow_fleet/,
  },
  RemoveGenericNervousSystemFunction: {
    fill: (tab) => tab.getByRole('textbox', { name: /^What would be done/ }).fill('1000'),
    told: /1[ _,]?000/,
  },
  ManageSnsMetadata: { fill: (tab) => option(tab, 'description', 'A library that a test describes.'), told: /a test describes/ },
  SetTopicsForCustomProposals: {
    fill: async (tab) => {
      await tab.getByRole('button', { name: 'Add to custom function id to topic' }).click();
      await tab.getByRole('textbox', { name: /^of/ }).fill('1000');
      await tab.getByLabel(/^is/).last().selectOption('DaoCommunitySettings');
    },
    told: /1000, .*: .*, before /,
  },
  ManageLedgerParameters: { fill: (tab) => option(tab, 'transfer fee', '20000'), told: /20[ _,]?000|0\.0002/ },
};

test('should make each of governance\'s own kinds of proposal', async () => {
  const { context, tab, errors } = await proposer();
  await tab.goto(`${page}/proposals/new`);
  await tab.locator('[data-tid="kind"]').waitFor();
  const offered = await tab.locator('[data-tid="kind"] optgroup').first().locator('option').evaluateAll((options) => options.map(({ value }) => value));
  assert.deepEqual(offered.sort(), Object.keys(NATIVE).sort());
  for (const kind of offered) {
    const title = await begin(tab, kind);
    assert.deepEqual(await accessibilityProblems(tab), [], kind);
    await screenshot(tab, `proposal-form-${kind}`);
    await NATIVE[kind].fill(tab);
    assert.match(await propose(tab, title), NATIVE[kind].told, kind);
  }
  assert.deepEqual(errors, []);
  await context.close();
});

/** Functions whose argument can be what is set now, what is there now, or nothing. */
const AS_IT_IS = ['set_parameters', 'set_fleet_policy', 'set_policy', 'set_cycles_policy'];
const WITHOUT_ARGUMENT = ['grow_fleet', 'scrub_shards'];

test('should show a form for every function, and make those that need no more than is set now', async () => {
  const { context, tab, errors } = await proposer();
  await tab.goto(`${page}/proposals/new`);
  await tab.locator('[data-tid="kind"]').waitFor();
  const functions = await tab
    .locator('[data-tid="kind"] optgroup')
    .last()
    .locator('option')
    .evaluateAll((options) => options.map(({ value, textContent }) => ({ id: value, name: textContent ?? '' })));
  assert.ok(functions.length >= 15, `${functions.length} functions`);
  const made = [];
  for (const { id, name } of functions) {
    const title = await begin(tab, id);
    const calls = await tab.getByText(/^.*Calls .* of /).innerText();
    const method = /Calls (\S+) of/.exec(calls)?.[1];
    assert.equal(await tab.getByText('does not know the interface').count(), 0, name);
    if (AS_IT_IS.includes(method)) {
      await tab.getByRole('button', { name: 'Fill in what is set now' }).click();
      await tab.waitForTimeout(300);
    } else if (!WITHOUT_ARGUMENT.includes(method)) {
      // An argument is needed: without one the form or the validator says what is missing, and nothing is proposed.
      await tab.getByRole('button', { name: 'Propose', exact: true }).click();
      await tab.getByRole('alert').first().waitFor();
      assert.equal(new URL(tab.url()).pathname, '/proposals/new', name);
      continue;
    }
    await propose(tab, title);
    made.push(method);
  }
  for (const method of [...AS_IT_IS, ...WITHOUT_ARGUMENT]) assert.ok(made.includes(method), `${method} is not among ${made.join(', ')}`);
  assert.deepEqual(errors, []);
  await context.close();
});
