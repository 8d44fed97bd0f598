// The stock SNS client of @icp-sdk/canisters, which knows nothing of Stoa, takes a neuron
// through its whole life: stake, dissolve delay, propose, vote, list, dissolve, disburse.
// Nothing here depends on which network it is.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { IcrcLedgerCanister } from '@icp-sdk/canisters/ledger/icrc';
import {
  SnsGovernanceCanister,
  SnsNeuronPermissionType,
  SnsProposalDecisionStatus,
  SnsVote,
  SnsWrapper,
} from '@icp-sdk/canisters/sns';
import { HttpAgent } from '@icp-sdk/core/agent';
import { Ed25519KeyIdentity } from '@icp-sdk/core/identity';
import { Principal } from '@icp-sdk/core/principal';

import { endpoint, fundedSecret, readDeployment } from '../deployment.mjs';

const TOKEN = 100_000_000n;
/** Long enough to propose and vote in, short enough to wait for. */
const DISSOLVE_DELAY_SECONDS = 20;
const PATIENCE_MS = 120_000;

let deployment;

before(() => {
  deployment = readDeployment();
});

/** Somebody with the client: `sns` asks by update calls, whose answers are certified. */
async function person(identity) {
  const agent = await HttpAgent.create({ host: endpoint, identity, shouldFetchRootKey: true });
  const canisterId = Principal.fromText(deployment.governance);
  const governance = SnsGovernanceCanister.create({ agent, canisterId });
  const ledger = IcrcLedgerCanister.create({
    agent,
    canisterId: Principal.fromText(deployment.tokenLedger),
  });
  // The life of a neuron needs neither root nor swap nor index; the wrapper reads their ids.
  const absent = { canisterId: Principal.managementCanister() };
  const sns = new SnsWrapper({
    governance, ledger, root: absent, swap: absent, index: absent, certified: true,
  });
  return { principal: identity.getPrincipal(), governance, ledger, sns };
}

async function withTokens(amount) {
  const user = await person(Ed25519KeyIdentity.generate());
  const giver = await person(Ed25519KeyIdentity.fromSecretKey(fundedSecret()));
  await giver.ledger.transfer({ to: { owner: user.principal, subaccount: [] }, amount });
  return { user, giver };
}

function proposal(title, action) {
  return { title, summary: `${title}, by the stock client`, url: '', action: [action] };
}

async function propose(user, neuron, content) {
  const { command } = await user.governance.manageNeuron({
    subaccount: neuron.id,
    command: [{ MakeProposal: content }],
  });
  const made = command[0]?.MakeProposal;
  assert.ok(made, `not made: ${JSON.stringify(command, (_, v) => (typeof v === 'bigint' ? `${v}` : v))}`);
  return made.proposal_id[0];
}

/** After a change of the rules of voting power, every neuron is counted anew first. */
const proposeWhenCounted = (user, neuron, content) =>
  until('the proposal', () =>
    propose(user, neuron, content).catch((error) => {
      assert.match(error.message, /up to date/);
      return undefined;
    }),
  );

async function until(what, condition) {
  const start = Date.now();
  for (;;) {
    const found = await condition();
    if (found) return found;
    assert.ok(Date.now() - start < PATIENCE_MS, `${what} did not come`);
    await sleep(250);
  }
}

const executed = (user, proposalId) =>
  until(`the execution of ${proposalId.id}`, async () => {
    const data = await user.sns.getProposal({ proposalId });
    assert.equal(data.failed_timestamp_seconds, 0n, `failed: ${data.failure_reason[0]?.error_message}`);
    return data.executed_timestamp_seconds > 0n && data;
  });

/** The neuron of the giver that has the majority. */
async function largest(giver) {
  const neurons = await giver.sns.listNeurons({ principal: giver.principal, limit: 100 });
  const stake = ({ cached_neuron_stake_e8s: e8s }) => e8s;
  return neurons.reduce((most, other) => (stake(other) > stake(most) ? other : most)).id[0];
}

test('should read parameters, functions, topics and texts with the stock client', async () => {
  const { user } = await withTokens(TOKEN);
  const parameters = await user.sns.nervousSystemParameters({});
  assert.ok(parameters.reject_cost_e8s[0] > 0n);
  const { functions } = await user.sns.listNervousSystemFunctions({});
  const ids = functions.map(({ id }) => id);
  for (const native of [1n, 2n, 3n, 4n, 5n, 9n, 1000n]) assert.ok(ids.includes(native), `${native}`);
  const { topics } = await user.governance.listTopics({ certified: true });
  assert.equal(topics[0].length, 7);
  const [metadata, token] = await user.sns.metadata({});
  assert.deepEqual(metadata.name, ['Stoa']);
  assert.ok(token.some(([key]) => key === 'icrc1:symbol'));
});

test('should take a neuron through its whole life with the stock client', async () => {
  const { user, giver } = await withTokens(100n * TOKEN);
  const whale = await largest(giver);

  // The token holders shorten the delay that voting takes, so that the life fits a test, and
  // let neurons have hot keys.
  const parameters = await user.sns.nervousSystemParameters({});
  const none = Object.fromEntries(Object.keys(parameters).map((name) => [name, []]));
  const shortened = await proposeWhenCounted(
    giver,
    whale,
    proposal('Shorter delay', {
      ManageNervousSystemParameters: {
        ...none,
        neuron_minimum_dissolve_delay_to_vote_seconds: [BigInt(DISSOLVE_DELAY_SECONDS / 2)],
        // By default nobody can be given a permission.
        neuron_grantable_permissions: [
          { permissions: Int32Array.of(SnsNeuronPermissionType.NEURON_PERMISSION_TYPE_VOTE) },
        ],
      },
    }),
  );
  await executed(giver, shortened);

  // Stake, twice.
  const fee = await user.ledger.transactionFee({});
  const source = { owner: user.principal, subaccount: undefined };
  const stake = (amount) =>
    user.sns.stakeNeuron({ stakeE8s: amount, source, controller: user.principal });
  const first = await stake(20n * TOKEN);
  const second = await stake(30n * TOKEN);
  assert.notDeepEqual(first.id, second.id);
  assert.equal((await user.sns.getNeuron({ neuronId: first })).cached_neuron_stake_e8s, 20n * TOKEN);
  await user.sns.increaseStakeNeuron({ stakeE8s: 5n * TOKEN, source, neuronId: first });
  assert.equal((await user.sns.getNeuron({ neuronId: first })).cached_neuron_stake_e8s, 25n * TOKEN);

  // Dissolve delay.
  for (const neuronId of [first, second]) {
    await user.sns.increaseDissolveDelay({
      neuronId,
      additionalDissolveDelaySeconds: DISSOLVE_DELAY_SECONDS,
    });
  }
  const { dissolve_state: state } = await user.sns.getNeuron({ neuronId: first });
  assert.deepEqual(state, [{ DissolveDelaySeconds: BigInt(DISSOLVE_DELAY_SECONDS) }]);

  // A hot key may vote and nothing else.
  const hot = await person(Ed25519KeyIdentity.generate());
  await user.sns.addNeuronPermissions({
    neuronId: second,
    principal: hot.principal,
    permissions: [SnsNeuronPermissionType.NEURON_PERMISSION_TYPE_VOTE],
  });

  // Propose.
  const motion = proposal('Be kind', { Motion: { motion_text: 'Let us be kind.' } });
  const proposalId = await proposeWhenCounted(user, first, motion);
  const mine = await user.sns.getProposal({ proposalId });
  assert.equal(mine.proposal[0].title, 'Be kind');
  assert.deepEqual(Buffer.from(mine.proposer[0].id), Buffer.from(first.id));
  assert.ok(mine.latest_tally[0].yes > 0n, 'the proposer votes yes');

  // Vote: once, by the hot key; then the majority.
  const ballot = { neuronId: second, proposalId, vote: SnsVote.Yes };
  await hot.sns.registerVote(ballot);
  await assert.rejects(hot.sns.registerVote(ballot), /voted/);
  await assert.rejects(hot.sns.startDissolving(second), /permission/);
  await giver.sns.registerVote({ neuronId: whale, proposalId, vote: SnsVote.Yes });
  const data = await executed(user, proposalId);
  assert.equal(data.latest_tally[0].no, 0n);

  // List.
  const { proposals } = await user.sns.listProposals({
    limit: 10,
    includeStatus: [SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_EXECUTED],
  });
  const ids = proposals.map(({ id }) => id[0].id);
  assert.ok(ids.includes(proposalId.id) && ids.includes(shortened.id));
  assert.deepEqual(ids, [...ids].sort((a, b) => Number(b - a)), 'newest first');
  const listed = await user.sns.listNeurons({ principal: user.principal, limit: 10 });
  assert.equal(listed.length, 2);

  // Dissolve, stop, dissolve again, and have the tokens back.
  await assert.rejects(user.sns.disburse({ neuronId: first }), /dissol/i);
  await user.sns.startDissolving(first);
  await user.sns.stopDissolving(first);
  await user.sns.startDissolving(first);
  const { dissolve_state: dissolving } = await user.sns.getNeuron({ neuronId: first });
  const dissolvedAt = Number(dissolving[0].WhenDissolvedTimestampSeconds) * 1000;
  await sleep(Math.max(0, dissolvedAt - Date.now()) + 1_000);
  const balance = () => user.ledger.balance({ owner: user.principal, certified: true });
  const beforeDisbursing = await balance();
  await until('the disbursement', () =>
    user.sns.disburse({ neuronId: first }).then(
      () => true,
      // The clock of the network may be a little behind ours.
      (error) => assert.match(error.message, /dissol/i),
    ),
  );
  assert.equal(await balance(), beforeDisbursing + 25n * TOKEN - fee);
  const emptied = await user.sns.queryNeuron({ neuronId: first });
  assert.equal(emptied?.cached_neuron_stake_e8s ?? 0n, 0n);
});
