/** The vote on a version: proposed with a neuron of the publisher, and the registry is told which proposal it is. */
import type { SnsGovernanceDid } from '@icp-sdk/canisters/sns';
import { governance, type Neuron } from '$lib/api/governance';
import { registry, type RegistryTypes } from '$lib/api/stoa';
import { describeVariant } from '$lib/explain';

export class ProposalError extends Error {
  override readonly name = 'ProposalError';
}

export function neuronSubaccount(neuron: Neuron): Uint8Array {
  const [id] = neuron.id;
  if (id === undefined) throw new ProposalError('The neuron came without an id.');
  return Uint8Array.from(id.id);
}

/** The proposal's number. */
export async function propose(neuron: Neuron, proposal: SnsGovernanceDid.Proposal): Promise<bigint> {
  const response = await governance().manageNeuron({
    subaccount: neuronSubaccount(neuron),
    command: [{ MakeProposal: proposal }],
  });
  const [command] = response.command;
  if (command === undefined) throw new ProposalError('Governance gave no answer.');
  if ('Error' in command) throw new ProposalError(command.Error.error_message);
  if (!('MakeProposal' in command)) throw new ProposalError(`Governance answered ${describeVariant(command)}.`);
  const id = command.MakeProposal.proposal_id[0]?.id;
  if (id === undefined) throw new ProposalError('Governance gave no number.');
  return id;
}

export async function proposeAdmission(neuron: Neuron, version: Uint8Array, admission: RegistryTypes.AdmissionProposal): Promise<bigint> {
  const id = await propose(neuron, {
    url: '',
    title: admission.title,
    summary: admission.summary,
    action: [{ ExecuteGenericNervousSystemFunction: { function_id: admission.function_id, payload: Uint8Array.from(admission.payload) } }],
  });
  // So that the registry learns of a rejection. Anyone can tell it again, and a vote that decides alone has admitted the version
  // already: the proposal stands in any case.
  await registry().note_proposal({ version, proposal_id: id }).catch(() => undefined);
  return id;
}
