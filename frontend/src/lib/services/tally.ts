/**
 * How a proposal stands, with the proof: the tally, the deadline and what became of it are what governance has certified under the
 * network's root key. What was proposed is another matter, since it never changes: the page asks for it through consensus.
 */
import type { HttpAgent } from '@icp-sdk/core/agent';
import type { Principal } from '@icp-sdk/core/principal';
import type { Proposal } from '$lib/api/governance';
import { accepted, stoaGovernance } from '$lib/api/stoa';
import { deadlineSeconds } from '$lib/governance';
import { VerificationError, verifyWitness } from './verify';

/** `canisters/governance/src/proposal.rs`: three bytes, then numbers of eight, big-endian; the digest of the content follows. */
const VERSION = 1;
const NUMBERS_AT = 3;
const NUMBERS = 9;
const DIGEST_BYTES = 32;

/** Throws unless the proposal stands as the certified bytes say. */
export function expectCertified(proposal: Proposal, certified: Uint8Array): void {
  if (certified.length !== NUMBERS_AT + 8 * NUMBERS + DIGEST_BYTES || certified[0] !== VERSION) {
    throw new VerificationError('What is certified of the proposal has a form that this page does not know: load the page again.');
  }
  const view = new DataView(certified.buffer, certified.byteOffset, certified.byteLength);
  const numbers = Array.from({ length: NUMBERS }, (_, index) => view.getBigUint64(NUMBERS_AT + 8 * index));
  const [tally] = proposal.latest_tally;
  const claimed: [string, bigint | undefined][] = [
    ['kind', proposal.action],
    ['deadline', deadlineSeconds(proposal)],
    ['number of yes votes', tally?.yes],
    ['number of no votes', tally?.no],
    ['number of all votes', tally?.total],
    ['time of the tally', tally?.timestamp_seconds],
    ['time of the decision', proposal.decided_timestamp_seconds],
    ['time of execution', proposal.executed_timestamp_seconds],
    ['time of failure', proposal.failed_timestamp_seconds],
  ];
  claimed.forEach(([what, value], index) => {
    if (value !== numbers[index]) {
      throw new VerificationError(`The ${what} is ${value} by the answer, and ${numbers[index]} by what the network has certified.`);
    }
  });
}

function label(id: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, id);
  return bytes;
}

/** The proposal with the caller's ballots, from whichever node answers; throws where the proof does not hold. */
export async function fetchCertified(agent: HttpAgent, canister: Principal, id: bigint): Promise<Proposal> {
  const answer = accepted(await stoaGovernance().get_proposal_certified({ proposal_id: [{ id }] }));
  const lookup = await verifyWitness(agent, canister, Uint8Array.from(answer.certificate), Uint8Array.from(answer.witness));
  const proposal = answer.proposal as Proposal;
  expectCertified(proposal, lookup(['proposals', label(id)]));
  return proposal;
}
