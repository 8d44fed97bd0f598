import { describe, expect, it } from 'vitest';
import { ConfigurationError, loadConfiguration, parseConfiguration } from './configuration';

const GOOD = {
  network: 'Development',
  root_key: '308182',
  frontend: 'rrkah-fqaaa-aaaaa-aaaaq-cai',
  governance: 'rrkah-fqaaa-aaaaa-aaaaq-cai',
  registry: 'rrkah-fqaaa-aaaaa-aaaaq-cai',
  token_ledger: 'ryjl3-tyaaa-aaaaa-aaaba-cai',
  icp_ledger: 'ryjl3-tyaaa-aaaaa-aaaba-cai',
  cycles_minting: 'rkp4c-7iaaa-aaaaa-aaaca-cai',
};

describe('configuration', () => {
  it('should read what the frontend canister serves', () => {
    const configuration = parseConfiguration(GOOD);
    expect(configuration.network).toBe('Development');
    expect(configuration.icpLedger.toText()).toBe('ryjl3-tyaaa-aaaaa-aaaba-cai');
  });

  it.each([
    [null, 'not an object'],
    [{ ...GOOD, network: 'Moon' }, 'Moon'],
    [{ ...GOOD, registry: undefined }, '"registry"'],
    [{ ...GOOD, root_key: null }, 'root key'],
    [{ ...GOOD, governance: 'not-an-id' }, '"governance"'],
  ])('should say what is wrong with %j', (value, part) => {
    expect(() => parseConfiguration(value)).toThrow(ConfigurationError);
    expect(() => parseConfiguration(value)).toThrow(part);
  });

  it('should say how the request for it failed', async () => {
    const refuse = async () => new Response('', { status: 503, statusText: 'Service Unavailable' });
    await expect(loadConfiguration(refuse)).rejects.toThrow('503');
  });
});
