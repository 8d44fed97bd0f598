// The hashes that need no network: the specification's worked request id and the
// golden manifest, which the canisters' own tests hold against the same digest.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { IDL } from '@icp-sdk/core/candid';
import { Principal } from '@icp-sdk/core/principal';

import { hash, manifestDigest, sha256 } from './hashing.mjs';
import { manifest } from './interfaces.mjs';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const filled = (byte) => new Uint8Array(32).fill(byte);

function golden() {
  const owner = Principal.fromUint8Array(Uint8Array.of(1, 2, 3));
  const tensor = (name, extent) => ({
    name,
    datatype: { FP32: null },
    shape: [{ Dynamic: { name: 'batch', max: 16n } }, { Fixed: extent }],
  });
  return {
    schema: 1,
    publisher: 'stoa',
    name: 'digits',
    version: '1.2.3-rc.1+build.7',
    license: 'Apache-2.0',
    task: 'image-classification',
    files: [
      {
        path: 'README.md',
        size_bytes: 0n,
        sha256: sha256(''),
        cid: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
        chunks: [sha256('')],
      },
      {
        path: 'model.onnx',
        size_bytes: (1n << 20n) + 5n,
        sha256: filled(0x11),
        cid: 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi',
        chunks: [filled(0x22), filled(0x33)],
      },
    ],
    signature: { inputs: [tensor('image', 64n)], outputs: [tensor('probabilities', 10n)] },
    pipeline: {
      model: 'model.onnx',
      kind: { Tensors: null },
      labels: ['zero', 'eins', '二'],
    },
    card: {
      markdown: '# Digits\n\nReads digits.\n',
      language: ['en'],
      tags: ['vision', 'small'],
      datasets: ['sklearn/digits'],
      metrics: ['accuracy'],
      base_model: ['stoa/digits-base'],
      library_name: [],
      license_name: [],
      license_link: [],
    },
    lineage: {
      parents: [{ version: filled(0x44), relation: { Quantized: null } }],
      datasets: ['sklearn/digits'],
      code_revision: ['https://example.org/repository@0123abc'],
      service_endpoints: ['https://example.org/digits'],
    },
    royalties: [
      { owner, subaccount: [], basis_points: 2_500 },
      { owner, subaccount: [filled(0x55)], basis_points: 7_500 },
    ],
    claims: [{ dataset: 'sklearn/digits', split: 'test', metric: 'accuracy', value: '0.973' }],
  };
}

test('should give the request id worked out in the interface specification', () => {
  const request = {
    request_type: 'call',
    sender: Uint8Array.of(0x04),
    ingress_expiry: 1_685_570_400_000_000_000n,
    canister_id: Uint8Array.of(0, 0, 0, 0, 0, 0, 0x04, 0xd2),
    method_name: 'hello',
    arg: Buffer.from('DIDL\x00\xfd*', 'latin1'),
  };
  const expected = '1d1091364d6bb8a6c16b203ee75467d59ead468f523eb058880ae8ec80e2b101';
  assert.equal(hex(hash(request)), expected);
});

test('should give the golden digest of a manifest that came through Candid', () => {
  const encoded = IDL.encode([manifest(IDL)], [golden()]);
  const [decoded] = IDL.decode([manifest(IDL)], encoded);
  const expected = 'c9e5c8a384402a7a144a48624dd823e81bb36355608b9fd25c0fdbb7fa929984';
  assert.equal(hex(manifestDigest(decoded)), expected);
});
