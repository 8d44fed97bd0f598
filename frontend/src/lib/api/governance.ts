/** Governance by the stock SNS client: what a genuine SNS would answer as well. */
import { SnsGovernanceCanister, type SnsGovernanceDid } from '@icp-sdk/canisters/sns';
import { ready } from '$lib/session.svelte';

export type Proposal = SnsGovernanceDid.ProposalData;
export type Neuron = SnsGovernanceDid.Neuron;
export type Parameters = SnsGovernanceDid.NervousSystemParameters;
export type NervousSystemFunction = SnsGovernanceDid.NervousSystemFunction;

export function governance(): SnsGovernanceCanister {
  const { configuration, agent } = ready();
  return SnsGovernanceCanister.create({ agent, canisterId: configuration.governance });
}
