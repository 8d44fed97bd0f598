import { SnsProposalDecisionStatus as Status, SnsVote } from '@icp-sdk/canisters/sns';
import { Principal } from '@icp-sdk/core/principal';
import { describe, expect, it } from 'vitest';
import type { Neuron, Proposal } from './api/governance';
import { canVote, deadlineSeconds, decision, dissolveDelaySeconds, isAccepted, movedBySeconds, neuronState, shareOf, thresholds, voteOf } from './governance';

const proposal = (given: object): Proposal =>
  ({
    latest_tally: [{ yes: 0n, no: 0n, total: 10_000n, timestamp_seconds: 0n }],
    minimum_yes_proportion_of_total: [],
    minimum_yes_proportion_of_exercised: [],
    decided_timestamp_seconds: 0n,
    executed_timestamp_seconds: 0n,
    failed_timestamp_seconds: 0n,
    proposal_creation_timestamp_seconds: 1_000n,
    initial_voting_period_seconds: 400n,
    wait_for_quiet_state: [],
    ballots: [],
    ...given,
  }) as unknown as Proposal;
const votes = (yes: bigint, no: bigint): object => ({ latest_tally: [{ yes, no, total: 10_000n, timestamp_seconds: 0n }] });
const points = (basis_points: bigint): object => [{ basis_points: [basis_points] }];

describe('a proposal', () => {
  it('should be accepted with more than half of the votes cast and three in a hundred of all', () => {
    expect(isAccepted(proposal(votes(300n, 299n)))).toBe(true);
    expect(isAccepted(proposal(votes(299n, 0n)))).toBe(false);
    expect(isAccepted(proposal(votes(300n, 300n)))).toBe(false);
  });

  it('should be held to the thresholds that it came with', () => {
    const critical = { minimum_yes_proportion_of_total: points(2_000n), minimum_yes_proportion_of_exercised: points(6_700n) };
    expect(thresholds(proposal(critical))).toEqual({ majorityOfCast: 6_700, minimumOfTotal: 2_000 });
    expect(isAccepted(proposal({ ...critical, ...votes(6_700n, 3_300n) }))).toBe(false);
    expect(isAccepted(proposal({ ...critical, ...votes(6_701n, 3_299n) }))).toBe(true);
    expect(isAccepted(proposal({ ...critical, ...votes(1_999n, 0n) }))).toBe(false);
  });

  it.each([
    [{}, Status.PROPOSAL_DECISION_STATUS_OPEN],
    [{ decided_timestamp_seconds: 1n, executed_timestamp_seconds: 2n }, Status.PROPOSAL_DECISION_STATUS_EXECUTED],
    [{ decided_timestamp_seconds: 1n, failed_timestamp_seconds: 2n }, Status.PROPOSAL_DECISION_STATUS_FAILED],
    [{ decided_timestamp_seconds: 1n, ...votes(400n, 0n) }, Status.PROPOSAL_DECISION_STATUS_ADOPTED],
    [{ decided_timestamp_seconds: 1n, ...votes(0n, 400n) }, Status.PROPOSAL_DECISION_STATUS_REJECTED],
  ])('should say where it stands (%#)', (given, expected) => {
    expect(decision(proposal(given))).toBe(expected);
  });

  it('should end when wait for quiet says, and tell by how much that moved it', () => {
    expect([deadlineSeconds(proposal({})), movedBySeconds(proposal({}))]).toEqual([1_400n, 0n]);
    const moved = proposal({ wait_for_quiet_state: [{ current_deadline_timestamp_seconds: 1_550n }] });
    expect([deadlineSeconds(moved), movedBySeconds(moved)]).toEqual([1_550n, 150n]);
  });

  it('should tell a ballot that was not cast from none', () => {
    const neuron = { id: [{ id: Uint8Array.of(0xab) }] } as unknown as Neuron;
    expect(voteOf(proposal({}), neuron)).toBeUndefined();
    expect(voteOf(proposal({ ballots: [['ab', { vote: 0 }]] }), neuron)).toBe(SnsVote.Unspecified);
    expect(voteOf(proposal({ ballots: [['ab', { vote: 2 }]] }), neuron)).toBe(SnsVote.No);
  });

  it('should have no share where nobody has voting power', () => {
    expect([shareOf(1n, 0n), shareOf(1n, 3n)]).toEqual([0, 3_333]);
  });
});

describe('a neuron', () => {
  const neuron = (dissolve_state: object[]): Neuron => ({ dissolve_state, permissions: [] }) as unknown as Neuron;

  it.each([
    [neuron([{ DissolveDelaySeconds: 50n }]), 'locked', 50n],
    [neuron([{ WhenDissolvedTimestampSeconds: 130n }]), 'dissolving', 30n],
    [neuron([{ WhenDissolvedTimestampSeconds: 100n }]), 'dissolved', 0n],
    [neuron([{ DissolveDelaySeconds: 0n }]), 'dissolved', 0n],
    [neuron([]), 'dissolved', 0n],
  ])('should be in one of three states (%#)', (each, state, delay) => {
    expect([neuronState(each, 100n), dissolveDelaySeconds(each, 100n)]).toEqual([state, delay]);
  });

  it('should vote for who has that very permission', () => {
    const me = Principal.fromText('aaaaa-aa');
    const with_ = (...permission_type: number[]): Neuron => ({ permissions: [{ principal: [me], permission_type: Int32Array.from(permission_type) }] }) as unknown as Neuron;
    expect(canVote(with_(3, 4), me.toText())).toBe(true);
    expect(canVote(with_(3), me.toText())).toBe(false);
    expect(canVote(with_(4), '2vxsx-fae')).toBe(false);
  });
});
