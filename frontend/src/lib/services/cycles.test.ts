import { describe, expect, it } from 'vitest';
import { burntPerDay, lastsSeconds } from './cycles';

const HOUR = 3_600n;
const hourly = (...balances: bigint[]): { at_seconds: bigint; cycles: bigint }[] =>
  balances.map((cycles, hour) => ({ at_seconds: 1_800_000_000n + BigInt(hour) * HOUR, cycles }));

describe('cycles over time', () => {
  it('should tell what burns a day, and for how long the newest balance lasts', () => {
    const samples = hourly(1_000n, 990n, 980n);
    expect(burntPerDay(samples)).toBe(240n);
    expect(lastsSeconds(samples)).toBe((980n * 86_400n) / 240n);
  });

  it('should not take a top-up for something that was not burnt', () => {
    expect(burntPerDay(hourly(1_000n, 990n, 5_000n, 4_990n))).toBe(160n);
  });

  it('should count the hours between two samples, however many lack one', () => {
    const [first, last] = hourly(1_000n, 976n);
    if (first === undefined || last === undefined) throw new Error('two samples');
    expect(burntPerDay([first, { ...last, at_seconds: first.at_seconds + 24n * HOUR }])).toBe(24n);
  });

  it('should say nothing where there is nothing to go by', () => {
    expect(burntPerDay([])).toBeUndefined();
    expect(burntPerDay(hourly(1_000n))).toBeUndefined();
    expect(burntPerDay(hourly(1_000n, 1_000n))).toBe(0n);
    expect(lastsSeconds(hourly(1_000n, 1_000n))).toBeUndefined();
  });
});
