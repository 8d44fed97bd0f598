import { Principal } from '@icp-sdk/core/principal';
import { expect, it, vi } from 'vitest';
import { toHex } from '$lib/bytes';
import { manifestDigest } from '$lib/hash/representation';
import { hashFile } from './content';
import { emptyCard } from './card';
import { buildManifest, type Described } from './manifest';
import { isTransient, publish, type PublishPorts, type PublishStep } from './publish';

const REGISTRY = Principal.fromText('ryjl3-tyaaa-aaaaa-aaaba-cai');
const SHARDS = ['rrkah-fqaaa-aaaaa-aaaaq-cai', 'rkp4c-7iaaa-aaaaa-aaaca-cai'].map((text) => Principal.fromText(text));
const DESCRIBED: Described = {
  name: 'm', version: '1.0.0', license: 'MIT', task: 't',
  pipeline: { model: 'a', kind: { Tensors: null }, labels: [] },
  signature: { inputs: [], outputs: [] },
  lineage: { parents: [], datasets: [], code_revision: [], service_endpoints: [] },
  royalties: [], claims: [],
};

async function world(stored: Set<string> = new Set()) {
  const files = new Map([['a', new Blob([new Uint8Array(1_500_000).fill(1)])], ['b', new Blob(['b'])]]);
  const hashed = await Promise.all([...files].map(([path, file]) => hashFile(path, file)));
  const manifest = buildManifest('lab', DESCRIBED, emptyCard(), hashed);
  let allowance = 0n;
  let status: object = { Draft: null };
  const key = (shard: Principal, hash: Uint8Array | number[]): string => `${shard.toText()} ${toHex(Uint8Array.from(hash))}`;
  const put = vi.fn(async (shard: Principal, bytes: Uint8Array) => {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes)));
    stored.add(key(shard, hash));
  });
  const approveDeposit = vi.fn(async (_: unknown, amount: bigint) => {
    allowance = amount;
  });
  const registry = {
    begin_upload: async () => {
      if (allowance < 7n) {
        return { Err: { DepositRefused: { needed_e8s: 7n, refusal: { InsufficientAllowance: { allowance_e8s: allowance } } } } };
      }
      const chunks = hashed.flatMap((file) =>
        file.chunks.map((hash, index) => ({
          hash,
          size_bytes: BigInt(Math.min(1 << 20, Number(file.size_bytes) - index * (1 << 20))),
          shards: SHARDS,
          missing_on: SHARDS.filter((shard) => !stored.has(key(shard, hash))),
        })),
      );
      return { Ok: { version: manifestDigest(manifest), status, chunks, deposit: [], expires_at_nanos: [] } };
    },
    quote_deposit: async () => ({ amount_e8s: 6n, ledger_fee_e8s: 1n, ledger: REGISTRY, spender: { owner: REGISTRY, subaccount: [] } }),
    seal: async () => {
      status = { Sealed: null };
      return { Ok: null };
    },
    submit: async () => ({ Ok: { function_id: 1000n, payload: new Uint8Array(), title: 't', summary: 's' } }),
  };
  const ports = { registry, registryId: REGISTRY, putChunk: put, approveDeposit, wait: async () => undefined } as unknown as PublishPorts;
  return { ports, manifest, files, put, approveDeposit, stored, registry };
}

it('should approve the deposit once, send each missing chunk to each shard, seal and submit', async () => {
  const { ports, manifest, files, put, approveDeposit } = await world();
  const steps: PublishStep[] = [];
  const { version, admission } = await publish(ports, manifest, files, (step) => steps.push(step));
  expect(version).toEqual(manifestDigest(manifest));
  expect(admission.function_id).toBe(1000n);
  expect(approveDeposit.mock.calls.map(([, amount]) => amount)).toEqual([7n]);
  expect(put).toHaveBeenCalledTimes(6);
  expect(steps.filter(({ step }) => step === 'uploading').at(-1)).toMatchObject({ sentBytes: 3_000_002, totalBytes: 3_000_002 });
});

it('should send only what is missing when it is begun again', async () => {
  const first = await world();
  const controller = new AbortController();
  first.put.mockImplementationOnce(async (shard, bytes) => {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes)));
    first.stored.add(`${shard.toText()} ${toHex(hash)}`);
    controller.abort();
  });
  await expect(publish(first.ports, first.manifest, first.files, () => undefined, controller.signal)).rejects.toThrow();
  const there = first.stored.size;
  expect(there).toBeGreaterThan(0);
  first.put.mockClear();
  await publish(first.ports, first.manifest, first.files, () => undefined);
  expect(first.put).toHaveBeenCalledTimes(6 - there);
});

it('should repeat a call whose answer was lost, and not one that was refused', async () => {
  const { ports, manifest, files, put } = await world();
  put.mockRejectedValueOnce(new TypeError('Failed to fetch'));
  await publish(ports, manifest, files, () => undefined);
  expect(put).toHaveBeenCalledTimes(7);
  expect(isTransient(new Error('Invalid signature'))).toBe(false);
});

it('should approve money for nobody but the registry', async () => {
  const { ports, manifest, files, approveDeposit, registry } = await world();
  registry.quote_deposit = async () => ({
    amount_e8s: 6n, ledger_fee_e8s: 1n, ledger: REGISTRY, spender: { owner: SHARDS[0] as Principal, subaccount: [] },
  });
  await expect(publish(ports, manifest, files, () => undefined)).rejects.toThrow('which is not the registry');
  expect(approveDeposit).not.toHaveBeenCalled();
});

it('should notice a file that changed', async () => {
  const { ports, manifest } = await world();
  const files = new Map([['a', new Blob(['shorter'])], ['b', new Blob(['b'])]]);
  await expect(publish(ports, manifest, files, () => undefined)).rejects.toThrow('a is missing or has changed');
});
