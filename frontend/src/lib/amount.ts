/** Amounts of a ledger: integers of its smallest unit, read and written as decimals with a unit. */

/** One ICP or governance token is 10^8 of them. */
export const E8S_DECIMALS = 8;

export class AmountError extends Error {
  override readonly name = 'AmountError';
}

/** `123456789n` with 8 decimals is `1.23456789`; trailing zeros are left out, thousands separated. */
export function formatAmount(units: bigint, decimals: number = E8S_DECIMALS): string {
  const negative = units < 0n;
  const digits = (negative ? -units : units).toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ' ');
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '');
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** The other way: `1.5` is `150000000n`. Refuses more decimals than the ledger has rather than round money. */
export function parseAmount(text: string, decimals: number = E8S_DECIMALS): bigint {
  const match = /^(\d+)(?:[.,](\d*))?$/.exec(text.replace(/[\s_\u202f]/g, ''));
  if (match === null) throw new AmountError(`"${text}" is no amount: write it as 12.5`);
  const [, whole = '0', fraction = ''] = match;
  if (fraction.length > decimals) throw new AmountError(`"${text}" has more than ${decimals} decimals`);
  return BigInt(whole) * 10n ** BigInt(decimals) + BigInt(fraction.padEnd(decimals, '0') || '0');
}

/** Of the governance token: `1 token`, `2.5 tokens`. */
export function formatTokens(units: bigint): string {
  return `${formatAmount(units)} token${units === 10n ** BigInt(E8S_DECIMALS) ? '' : 's'}`;
}

/** Bytes in binary units: `1.5 MiB`. */
export function formatBytes(bytes: bigint | number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const text = unit === 0 || value >= 100 ? Math.round(value).toString() : value.toFixed(1).replace(/\.0$/, '');
  return `${text} ${units[unit]}`;
}

/** Cycles by the thousand: `1.25 T`. */
export function formatCycles(cycles: bigint): string {
  const steps: [bigint, string][] = [
    [10n ** 12n, 'T'],
    [10n ** 9n, 'G'],
    [10n ** 6n, 'M'],
  ];
  for (const [unit, name] of steps) {
    if (cycles >= unit) return `${(Number((cycles * 1000n) / unit) / 1000).toString()} ${name} cycles`;
  }
  return `${cycles} cycles`;
}

/** Seconds as the two largest units: `2 days 3 hours`. */
export function formatDuration(seconds: bigint | number): string {
  const units: [number, string][] = [
    [31_557_600, 'year'],
    [86_400, 'day'],
    [3_600, 'hour'],
    [60, 'minute'],
    [1, 'second'],
  ];
  let left = Math.max(0, Math.floor(Number(seconds)));
  const parts: string[] = [];
  for (const [size, name] of units) {
    const count = Math.floor(left / size);
    if (count > 0 && parts.length < 2) parts.push(`${count} ${name}${count === 1 ? '' : 's'}`);
    left -= count * size;
  }
  return parts.length === 0 ? '0 seconds' : parts.join(' ');
}
