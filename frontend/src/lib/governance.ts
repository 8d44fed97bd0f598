/** What the numbers of a proposal mean, as SNS governance counts. */
import { SnsProposalDecisionStatus, SnsNeuronPermissionType, SnsVote } from '@icp-sdk/canisters/sns';
import type { Neuron, Proposal } from './api/governance';
import { toHex } from './bytes';

export { toHex };

export interface Tally {
  readonly yes: bigint;
  readonly no: bigint;
  readonly total: bigint;
}

/** Shares are of all voting power, in hundredths of a percent. */
export interface Thresholds {
  /** Of the votes cast, yes must be more than this. */
  readonly majorityOfCast: number;
  /** Of all voting power, yes must be at least this. */
  readonly minimumOfTotal: number;
}

const BASIS_POINTS = 10_000n;
const DEFAULT_MAJORITY = 5_000;
const DEFAULT_MINIMUM = 300;

export function tally(proposal: Proposal): Tally {
  const latest = proposal.latest_tally[0];
  return { yes: latest?.yes ?? 0n, no: latest?.no ?? 0n, total: latest?.total ?? 0n };
}

export function thresholds(proposal: Proposal): Thresholds {
  const share = (value: Proposal['minimum_yes_proportion_of_total'], fallback: number): number =>
    Number(value[0]?.basis_points[0] ?? BigInt(fallback));
  return {
    majorityOfCast: share(proposal.minimum_yes_proportion_of_exercised, DEFAULT_MAJORITY),
    minimumOfTotal: share(proposal.minimum_yes_proportion_of_total, DEFAULT_MINIMUM),
  };
}

/** In hundredths of a percent; 0 where nobody has voting power. */
export function shareOf(part: bigint, whole: bigint): number {
  return whole === 0n ? 0 : Number((part * BASIS_POINTS) / whole);
}

export function decision(proposal: Proposal): SnsProposalDecisionStatus {
  if (proposal.decided_timestamp_seconds === 0n) return SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_OPEN;
  if (proposal.executed_timestamp_seconds > 0n) return SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_EXECUTED;
  if (proposal.failed_timestamp_seconds > 0n) return SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_FAILED;
  return isAccepted(proposal)
    ? SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_ADOPTED
    : SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_REJECTED;
}

export function isAccepted(proposal: Proposal): boolean {
  const { yes, no, total } = tally(proposal);
  const { majorityOfCast, minimumOfTotal } = thresholds(proposal);
  return (
    yes * BASIS_POINTS > (yes + no) * BigInt(majorityOfCast) && yes * BASIS_POINTS >= total * BigInt(minimumOfTotal)
  );
}

export const DECISION_NAMES: Record<SnsProposalDecisionStatus, string> = {
  [SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_UNSPECIFIED]: 'Unknown',
  [SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_OPEN]: 'Open',
  [SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_REJECTED]: 'Rejected',
  [SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_ADOPTED]: 'Adopted',
  [SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_EXECUTED]: 'Executed',
  [SnsProposalDecisionStatus.PROPOSAL_DECISION_STATUS_FAILED]: 'Failed',
};

/** Voting may have been extended by wait-for-quiet: the proposal's own deadline counts, then. */
export function deadlineSeconds(proposal: Proposal): bigint {
  return (
    proposal.wait_for_quiet_state[0]?.current_deadline_timestamp_seconds ??
    proposal.proposal_creation_timestamp_seconds + proposal.initial_voting_period_seconds
  );
}

/** By how much late turns of the outcome moved the deadline; 0 where nothing did. */
export function movedBySeconds(proposal: Proposal): bigint {
  return deadlineSeconds(proposal) - (proposal.proposal_creation_timestamp_seconds + proposal.initial_voting_period_seconds);
}

export function neuronIdHex(neuron: Neuron): string {
  return toHex(neuron.id[0]?.id ?? new Uint8Array());
}

/** How this neuron voted; unspecified where it may still vote; undefined where it has no ballot. */
export function voteOf(proposal: Proposal, neuron: Neuron): SnsVote | undefined {
  const id = neuronIdHex(neuron);
  return proposal.ballots.find(([ballot]) => ballot === id)?.[1].vote;
}

export function canVote(neuron: Neuron, principalText: string): boolean {
  return neuron.permissions.some(
    (permission) =>
      permission.principal[0]?.toText() === principalText &&
      permission.permission_type.includes(SnsNeuronPermissionType.NEURON_PERMISSION_TYPE_VOTE),
  );
}

/** Seconds of delay: of a neuron that dissolves, what is left. */
export function dissolveDelaySeconds(neuron: Neuron, nowSeconds: bigint): bigint {
  const [state] = neuron.dissolve_state;
  if (state === undefined) return 0n;
  if ('DissolveDelaySeconds' in state) return state.DissolveDelaySeconds;
  const left = state.WhenDissolvedTimestampSeconds - nowSeconds;
  return left > 0n ? left : 0n;
}

export type NeuronState = 'locked' | 'dissolving' | 'dissolved';

export function neuronState(neuron: Neuron, nowSeconds: bigint): NeuronState {
  const [state] = neuron.dissolve_state;
  if (state === undefined) return 'dissolved';
  if ('DissolveDelaySeconds' in state) return state.DissolveDelaySeconds > 0n ? 'locked' : 'dissolved';
  return state.WhenDissolvedTimestampSeconds > nowSeconds ? 'dissolving' : 'dissolved';
}
