import { describe, expect, it } from 'vitest';
import type { Proposal } from '$lib/api/governance';
import { expectCertified } from './tally';

const NUMBERS = [2n, 900n, 500n, 3n, 1_000n, 700n, 701n, 702n, 0n];

/** As governance writes it. */
function certified(numbers: bigint[]): Uint8Array {
  const bytes = new Uint8Array(3 + 72 + 32);
  bytes[0] = 1;
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, index) => view.setBigUint64(3 + 8 * index, number));
  return bytes;
}

function proposal(numbers: bigint[]): Proposal {
  const [action, deadline, yes, no, total, tallied, decided, executed, failed] = numbers;
  return {
    action,
    wait_for_quiet_state: [{ current_deadline_timestamp_seconds: deadline }],
    latest_tally: [{ yes, no, total, timestamp_seconds: tallied }],
    decided_timestamp_seconds: decided,
    executed_timestamp_seconds: executed,
    failed_timestamp_seconds: failed,
  } as unknown as Proposal;
}

describe('how a proposal stands', () => {
  it('should be believed where it is what is certified', () => {
    expect(() => expectCertified(proposal(NUMBERS), certified(NUMBERS))).not.toThrow();
  });

  it.each(NUMBERS.map((_, index) => index))('should not be believed where one number is another (%i)', (index) => {
    const other = NUMBERS.map((number, at) => (at === index ? number + 1n : number));
    expect(() => expectCertified(proposal(other), certified(NUMBERS))).toThrow(/by what the network has certified/);
  });

  it('should not be read in another form', () => {
    const shorter = certified(NUMBERS).slice(1);
    const newer = certified(NUMBERS);
    newer[0] = 2;
    for (const bytes of [shorter, newer, new Uint8Array()]) {
      expect(() => expectCertified(proposal(NUMBERS), bytes)).toThrow(/load the page again/);
    }
  });

  it('should not be believed without a tally', () => {
    const without = { ...proposal(NUMBERS), latest_tally: [] } as Proposal;
    expect(() => expectCertified(without, certified(NUMBERS))).toThrow(/yes votes is undefined/);
  });
});
