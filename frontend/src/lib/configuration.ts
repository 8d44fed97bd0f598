/**
 * Where the canisters of this Stoa are. The frontend canister answers `/config.json` from its installation arguments, certified
 * like every file of the page.
 */
import { Principal } from '@icp-sdk/core/principal';
import { fromHex } from './bytes';

export interface Configuration {
  readonly network: 'Mainnet' | 'Development';
  /** Of a network for development, in DER; mainnet's is built into the agent. */
  readonly rootKey: Uint8Array | undefined;
  /** Which serves this page. */
  readonly frontend: Principal;
  readonly governance: Principal;
  readonly registry: Principal;
  readonly tokenLedger: Principal;
  readonly icpLedger: Principal;
  readonly cyclesMinting: Principal;
}

/** The page came without a configuration that it understands. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

export function parseConfiguration(value: unknown): Configuration {
  if (typeof value !== 'object' || value === null) throw new ConfigurationError('/config.json is not an object');
  const fields = value as Record<string, unknown>;
  const network = fields['network'];
  if (network !== 'Mainnet' && network !== 'Development') {
    throw new ConfigurationError(`/config.json names the network ${JSON.stringify(network)}: Mainnet or Development is known`);
  }
  const principal = (name: string): Principal => {
    const text = fields[name];
    if (typeof text !== 'string') throw new ConfigurationError(`/config.json has no canister id "${name}"`);
    try {
      return Principal.fromText(text);
    } catch {
      throw new ConfigurationError(`/config.json: "${name}" is ${JSON.stringify(text)}, which is no canister id`);
    }
  };
  const rootKey = fields['root_key'];
  if (network === 'Development' && (typeof rootKey !== 'string' || !/^(?:[0-9a-f]{2})+$/.test(rootKey))) {
    throw new ConfigurationError('/config.json has no root key, which a network for development needs');
  }
  return {
    network,
    rootKey: network === 'Development' ? fromHex(String(rootKey)) : undefined,
    frontend: principal('frontend'),
    governance: principal('governance'),
    registry: principal('registry'),
    tokenLedger: principal('token_ledger'),
    icpLedger: principal('icp_ledger'),
    cyclesMinting: principal('cycles_minting'),
  };
}

export async function loadConfiguration(fetcher: typeof fetch = fetch): Promise<Configuration> {
  const response = await fetcher('/config.json');
  if (!response.ok) throw new ConfigurationError(`/config.json: ${response.status} ${response.statusText}`);
  return parseConfiguration(await response.json());
}
