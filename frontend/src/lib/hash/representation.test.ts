import { describe, expect, it } from 'vitest';
import { equalBytes, hash, manifestDigest, receiptHash, toHashable } from './representation';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('representation-independent hash', () => {
  it('should agree with the example of the interface specification', () => {
    const request = {
      request_type: 'call',
      canister_id: Uint8Array.of(0, 0, 0, 0, 0, 0, 4, 210),
      method_name: 'hello',
      arg: Uint8Array.from([68, 73, 68, 76, 0, 253, 42]),
    };
    expect(hex(hash(request))).toBe('8781291c347db32a9d8c10eb62b710fce5a93be676474c42babc74c51858f94b');
  });

  it('should not depend on the order of fields, and on every value', () => {
    expect(hash({ a: 1, b: 'x' })).toEqual(hash({ b: 'x', a: 1 }));
    expect(hash({ a: 1, b: 'x' })).not.toEqual(hash({ a: 2, b: 'x' }));
  });

  it('should leave absent options out and take variants by name', () => {
    expect(toHashable({ base_model: [], tags: [], relation: { Finetune: null } })).toEqual({
      tags: [],
      relation: 'Finetune',
    });
    expect(toHashable({ base_model: ['x'] })).toEqual({ base_model: 'x' });
  });

  it('should see a change anywhere in a manifest or a receipt', () => {
    const manifest = { name: 'digits', files: [{ path: 'model.onnx', size_bytes: 3n }] };
    const changed = { name: 'digits', files: [{ path: 'model.onnx', size_bytes: 4n }] };
    expect(equalBytes(manifestDigest(manifest), manifestDigest(changed))).toBe(false);
    const receipt: { id: bigint; hash: Uint8Array } = { id: 1n, hash: new Uint8Array(32) };
    expect(receiptHash(receipt)).toEqual(receiptHash({ ...receipt, hash: new Uint8Array(1) }));
    expect(receiptHash(receipt)).not.toEqual(receiptHash({ ...receipt, ...{ id: 2n } }));
  });
});
