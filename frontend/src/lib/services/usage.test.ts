import { Principal } from '@icp-sdk/core/principal';
import { describe, expect, it } from 'vitest';
import type { InferenceTypes } from '$lib/api/stoa';
import { summarise } from './usage';

const DAY_NANOS = 86_400_000_000_000n;
const receipt = (timestamp_nanos: bigint, price: InferenceTypes.Receipt['price']): InferenceTypes.Receipt => ({
  id: 0n, timestamp_nanos, price, version: [], input_hash: [], output_hash: [], hash: [], previous: [], instructions: 1n, caller: Principal.anonymous(),
} as unknown as InferenceTypes.Receipt);

describe('usage of a version', () => {
  it('should count calls and ICP by days of UTC, oldest first, whatever order the logs are in', () => {
    const found = summarise(
      [
        receipt(3n * DAY_NANOS, { IcpE8s: 5n }),
        receipt(2n * DAY_NANOS - 1n, { IcpE8s: 1n }),
        receipt(DAY_NANOS, { IcpE8s: 2n }),
      ],
      7,
    );
    expect(found.days).toEqual([
      { seconds: 86_400, calls: 2, icpE8s: 3n },
      { seconds: 3 * 86_400, calls: 1, icpE8s: 5n },
    ]);
    expect([found.calls, found.icpE8s, found.lookedAt, found.unanswered]).toEqual([3, 8n, 7, 0]);
  });

  it('should count a call that was paid with something else, without an amount in ICP', () => {
    expect(summarise([receipt(1n, { Cycles: 9n })], 1).days).toEqual([{ seconds: 0, calls: 1, icpE8s: 0n }]);
  });

  it('should say so where nobody called and where somebody did not answer', () => {
    expect(summarise([], 0, 2)).toEqual({ days: [], calls: 0, icpE8s: 0n, lookedAt: 0, unanswered: 2 });
  });
});
