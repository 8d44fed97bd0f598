/** Who called a version and what it earned, from the public logs of receipts: the newest thousand of each inference canister. */
import type { Principal } from '@icp-sdk/core/principal';
import { inference, registry, type InferenceTypes } from '$lib/api/stoa';
import { equalBytes } from '$lib/hash/representation';

const LOOKED_AT_MAX = 1_000n;
const STEP = 101n;
const DAY_NANOSECONDS = 86_400_000_000_000n;

export interface Day {
  /** Midnight UTC, in seconds. */
  readonly seconds: number;
  readonly calls: number;
  readonly icpE8s: bigint;
}

export interface Usage {
  readonly days: Day[];
  readonly calls: number;
  readonly icpE8s: bigint;
  /** Other versions' receipts are in these logs too. */
  readonly lookedAt: number;
  /** Canisters whose logs could not be read. */
  readonly unanswered: number;
}

export async function usage(version: Uint8Array): Promise<Usage> {
  const canisters = await registry().list_inference();
  const logs = await Promise.allSettled(canisters.map(newest));
  const all = logs.flatMap((log) => (log.status === 'fulfilled' ? log.value : []));
  const unanswered = logs.filter(({ status }) => status === 'rejected').length;
  return summarise(all.filter((receipt) => equalBytes(Uint8Array.from(receipt.version), version)), all.length, unanswered);
}

async function newest(canister: Principal): Promise<InferenceTypes.Receipt[]> {
  const { receipts } = await inference(canister).status();
  const first = receipts > LOOKED_AT_MAX ? receipts - LOOKED_AT_MAX : 0n;
  const starts: bigint[] = [];
  for (let start = first; start < receipts; start += STEP) starts.push(start);
  const pages = await Promise.all(
    starts.map(async (start) => {
      const answer = await inference(canister).get_receipt(start);
      return 'Ok' in answer ? [answer.Ok.receipt, ...answer.Ok.successors] : [];
    }),
  );
  return pages.flat();
}

export function summarise(receipts: readonly InferenceTypes.Receipt[], lookedAt: number, unanswered = 0): Usage {
  const days = new Map<bigint, { calls: number; icpE8s: bigint }>();
  let total = 0n;
  for (const receipt of receipts) {
    const day = receipt.timestamp_nanos / DAY_NANOSECONDS;
    const price = 'IcpE8s' in receipt.price ? receipt.price.IcpE8s : 0n;
    const known = days.get(day) ?? { calls: 0, icpE8s: 0n };
    days.set(day, { calls: known.calls + 1, icpE8s: known.icpE8s + price });
    total += price;
  }
  const ordered = [...days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([day, value]) => ({ seconds: Number(day) * 86_400, ...value }));
  return { days: ordered, calls: receipts.length, icpE8s: total, lookedAt, unanswered };
}
