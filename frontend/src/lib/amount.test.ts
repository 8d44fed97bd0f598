import { describe, expect, it } from 'vitest';
import { AmountError, formatAmount, formatBytes, formatCycles, formatDuration, formatTokens, parseAmount } from './amount';

describe('amounts', () => {
  it.each([
    [0n, '0'],
    [1n, '0.00000001'],
    [150_000_000n, '1.5'],
    [123_456_700_000_000n, '1 234 567'],
    [-10_000n, '-0.0001'],
  ])('should write %d units as %s', (units, text) => {
    expect(formatAmount(units)).toBe(text);
  });

  it.each(['0', '1.5', '0.00000001', '1234567.12345678'])('should read back what it writes: %s', (text) => {
    expect(formatAmount(parseAmount(text)).replaceAll(' ', '')).toBe(text);
  });

  it.each(['', '1.123456789', 'one', '-1', '1e3', '1.2.3'])('should refuse "%s" rather than guess', (text) => {
    expect(() => parseAmount(text)).toThrow(AmountError);
  });

  it('should count tokens as a person does', () => {
    expect(['0', '1', '1.5'].map((text) => formatTokens(parseAmount(text)))).toEqual(['0 tokens', '1 token', '1.5 tokens']);
  });

  it('should name units of bytes, cycles and time', () => {
    expect(formatBytes(1_572_864)).toBe('1.5 MiB');
    expect(formatBytes(17n)).toBe('17 B');
    expect(formatCycles(1_250_000_000_000n)).toBe('1.25 T cycles');
    expect(formatDuration(97_200)).toBe('1 day 3 hours');
  });
});
