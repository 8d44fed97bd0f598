/** The two ledgers by the stock ICRC client. */
import { IcrcLedgerCanister } from '@icp-sdk/canisters/ledger/icrc';
import { ready } from '$lib/session.svelte';

export type Currency = 'ICP' | 'token';

export function ledger(currency: Currency): IcrcLedgerCanister {
  const { configuration, agent } = ready();
  const canisterId = currency === 'ICP' ? configuration.icpLedger : configuration.tokenLedger;
  return IcrcLedgerCanister.create({ agent, canisterId });
}
