/**
 * Calling a model: where it runs, what a call costs, a preview by query, a paid call with its receipt.
 *
 * What must hold: what is approved is the price that was shown and the ledger's fees, and the call refuses to cost more; a paid answer
 * is shown with the receipt that was verified against the network's key, or with why it was not.
 */
import type { Principal } from '@icp-sdk/core/principal';
import { RefusedError, accepted, inference, registry, type InferenceTypes } from '$lib/api/stoa';
import { explain } from '$lib/explain';
import { ready, session } from '$lib/session.svelte';
import { approve } from './approve';
import { contradictions, fetchAndVerify } from './receipt';

const POLL_MILLISECONDS = 1_000;
const JOB_PATIENCE_MILLISECONDS = 10 * 60 * 1_000;

/** `undefined`: this canister has not heard of it, or did not answer, which `failure` says. */
export type Place = { canister: Principal; state: InferenceTypes.LoadState | undefined; failure?: string };

/** Every canister that may run it, ready ones first. One that fails leaves the others. */
export async function places(version: Uint8Array): Promise<Place[]> {
  const canisters = await registry().route(version);
  const found = await Promise.all(
    canisters.map(async (canister): Promise<Place> => {
      try {
        const status = await inference(canister).load_status(version);
        return { canister, state: 'Ok' in status ? status.Ok.state : undefined };
      } catch (error) {
        return { canister, state: undefined, failure: explain(error) };
      }
    }),
  );
  const rank = ({ state, failure }: Place): number =>
    failure !== undefined ? 4 : state === undefined ? 3 : 'Ready' in state ? 0 : 'Evicted' in state ? 1 : 2;
  return found.sort((left, right) => rank(left) - rank(right));
}

export async function load(canister: Principal, version: Uint8Array): Promise<void> {
  accepted(await inference(canister).load(version, []));
}

export async function quote(canister: Principal, version: Uint8Array, input: InferenceTypes.Input): Promise<InferenceTypes.Quote> {
  return accepted(await inference(canister).quote_call({ model: { Digest: version }, input }));
}

/** Free, and the word of one node: neither certified nor on any record. */
export async function preview(canister: Principal, version: Uint8Array, input: InferenceTypes.Input): Promise<InferenceTypes.Answer> {
  return accepted(await inference(canister).infer_query({ model: { Digest: version }, input })).answer;
}

export interface PaidAnswer {
  readonly answer: InferenceTypes.Answer;
  readonly receipt: InferenceTypes.Receipt;
  /** Why the receipt does not prove this call; empty where it does. */
  readonly doubts: string[];
}

/** From an allowance that is given here for exactly this call. */
export async function pay(
  canister: Principal,
  version: Uint8Array,
  input: InferenceTypes.Input,
  quoted: InferenceTypes.Quote,
  from: 'allowance' | 'credit',
): Promise<PaidAnswer> {
  if (from === 'allowance') await approve('ICP', { owner: canister }, quoted.price_e8s + quoted.ledger_fee_e8s);
  const result = await inference(canister).infer({
    model: { Digest: version },
    input,
    max_price: [quoted.price_e8s],
    payment: from === 'credit' ? { Credit: { token: { Icp: null } } } : { Allowance: { token: { Icp: null }, from_subaccount: [] } },
  });
  if ('Ok' in result) return proven(canister, version, input, result.Ok);
  if ('GoesOn' in result.Err) return proven(canister, version, input, await job(canister, result.Err.GoesOn.job));
  throw new RefusedError(result.Err);
}

async function job(canister: Principal, id: bigint): Promise<InferenceTypes.InferResponse> {
  const deadline = Date.now() + JOB_PATIENCE_MILLISECONDS;
  while (Date.now() < deadline) {
    const { state } = accepted(await inference(canister).get_job(id));
    if ('Done' in state) return state.Done;
    if ('Failed' in state) throw new Error(`${state.Failed.message} What was paid is credit now, on the wallet's page.`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
  throw new Error(`Job ${id} is still running: it is paid, and its answer will be kept for a day after its end.`);
}

async function proven(
  canister: Principal,
  version: Uint8Array,
  input: InferenceTypes.Input,
  { answer, receipt }: InferenceTypes.InferResponse,
): Promise<PaidAnswer> {
  const doubts = contradictions(receipt, { version, input, answer, caller: session.principal });
  try {
    const logged = await fetchAndVerify(ready().agent, canister, receipt.id);
    doubts.push(...contradictions(logged, { version, input, answer, caller: session.principal }));
  } catch (error) {
    doubts.push(error instanceof Error ? error.message : String(error));
  }
  return { answer, receipt, doubts };
}
