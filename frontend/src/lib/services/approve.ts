/** An ICRC-2 allowance, no larger than what it is for. */
import type { Principal } from '@icp-sdk/core/principal';
import { ledger, type Currency } from '$lib/api/ledger';
import { session } from '$lib/session.svelte';

const VALID_NANOSECONDS = 10n * 60n * 1_000_000_000n;

export interface Spender {
  readonly owner: Principal;
  readonly subaccount?: Uint8Array;
}

/** Sets the allowance to `amount`, which must cover the fees of what the spender does with it; it ends after ten minutes. */
export async function approve(currency: Currency, spender: Spender, amount: bigint): Promise<void> {
  const now = BigInt(Date.now()) * 1_000_000n;
  await ledger(currency).approve({
    spender: { owner: spender.owner, subaccount: spender.subaccount === undefined ? [] : [spender.subaccount] },
    amount,
    created_at_time: now,
    expires_at: now + VALID_NANOSECONDS,
  });
}

/** What is left of an allowance that this identity gave. */
export async function allowance(currency: Currency, spender: Spender): Promise<bigint> {
  const { allowance: left, expires_at } = await ledger(currency).allowance({
    account: { owner: session.principal, subaccount: [] },
    spender: { owner: spender.owner, subaccount: spender.subaccount === undefined ? [] : [spender.subaccount] },
    certified: false,
  });
  const [expires] = expires_at;
  return expires !== undefined && expires < BigInt(Date.now()) * 1_000_000n ? 0n : left;
}
