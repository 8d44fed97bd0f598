/** What went wrong, in words that say what to do. */

/** Candid variants of errors: one key, with numbers or nothing. */
export function describeVariant(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const entries = Object.entries(error);
  const [first] = entries;
  if (entries.length !== 1 || first === undefined) return describeFields(error);
  const [name, payload] = first;
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  const details = typeof payload === 'object' && payload !== null ? describeFields(payload) : '';
  return details === '' ? words : `${words} (${details})`;
}

/** What is absent is not said. */
function describeFields(fields: object): string {
  return Object.entries(fields)
    .filter(([, value]) => !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${name.replaceAll('_', ' ')}: ${describeValue(value)}`)
    .join(', ');
}

function describeValue(value: unknown): string {
  if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (Array.isArray(value)) return value.map(describeValue).join(', ');
  if (typeof value === 'bigint') return value.toLocaleString('en').replaceAll(',', ' ');
  if (typeof value === 'object' && value !== null && 'toText' in value && typeof value.toText === 'function') {
    return String(value.toText());
  }
  return typeof value === 'object' && value !== null ? describeVariant(value) : String(value);
}

/** An error of an agent, of a library or of ours. */
export function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : describeVariant(error);
  // The last three: code of a page that is not here yet (Safari, Vite, Firefox).
  if (/Failed to fetch|NetworkError|fetch failed|Importing a module script failed|Unable to preload|error loading dynamically imported module/i.test(message)) {
    return 'The network does not answer. Check the connection and try again.';
  }
  if (/HTTP request failed[\s\S]*(?:invalid signature|invalid delegation|failed to authenticate)/i.test(message)) {
    return 'The network refused the signature of this request, and did nothing. Sign out, sign in again, and repeat it.';
  }
  if (/IC0207|out of cycles|is frozen|it's frozen/i.test(message)) {
    return 'The canister is out of cycles and answers no calls until somebody tops it up. The network page shows which.';
  }
  if (/signature.*(verif|invalid)|Certificate verification|Invalid certificate/i.test(message)) {
    return `The answer did not verify and was thrown away: ${message}`;
  }
  return message;
}
