/** Cycles of canisters over time. No canister keeps that history; this device notes what it sees, an hour's worth as one. */

export interface Sample {
  readonly seconds: number;
  readonly cycles: number;
}

const KEY = 'stoa.cycles';
const APART_SECONDS = 3_600;
const KEPT_MAX = 500;

function all(): Record<string, Sample[]> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof stored === 'object' && stored !== null ? (stored as Record<string, Sample[]>) : {};
  } catch {
    return {};
  }
}

export function record(seen: readonly (readonly [canister: string, cycles: bigint])[], nowSeconds = Math.floor(Date.now() / 1000)): void {
  const stored = all();
  for (const [canister, cycles] of seen) {
    const samples = stored[canister] ?? [];
    const sample = { seconds: nowSeconds, cycles: Number(cycles) };
    const previous = samples.at(-2);
    // The newest moves along until it is an hour from the one before.
    if (previous !== undefined && nowSeconds - previous.seconds < APART_SECONDS) samples.splice(-1, 1, sample);
    else samples.push(sample);
    stored[canister] = samples.slice(-KEPT_MAX);
  }
  localStorage.setItem(KEY, JSON.stringify(stored));
}

export function samplesOf(canister: string): Sample[] {
  return all()[canister] ?? [];
}
