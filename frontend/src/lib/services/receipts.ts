/** Which receipts are this device's: the log is public and long, so the page remembers numbers, and fetches and verifies the rest. */

export interface Remembered {
  readonly canister: string;
  readonly receipt: string;
  readonly model: string;
}

const KEY = 'stoa.receipts';
const KEPT_MAX = 100;

function all(): Record<string, Remembered[]> {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof stored === 'object' && stored !== null ? (stored as Record<string, Remembered[]>) : {};
  } catch {
    return {};
  }
}

export function remember(owner: string, receipt: Remembered): void {
  const stored = all();
  stored[owner] = [receipt, ...(stored[owner] ?? [])].slice(0, KEPT_MAX);
  localStorage.setItem(KEY, JSON.stringify(stored));
}

export function remembered(owner: string): Remembered[] {
  return all()[owner] ?? [];
}
