import { expect, it } from 'vitest';
import { describeVariant, explain } from './explain';

it('should say an error variant in words with its numbers', () => {
  expect(describeVariant({ ChunkTooLarge: { given: 2_000_000n, max: 1_048_576n } })).toBe(
    'chunk too large (given: 2 000 000, max: 1 048 576)',
  );
  expect(describeVariant({ AnonymousCaller: null })).toBe('anonymous caller');
});

it('should say what to do where a canister is out of cycles or the network is gone', () => {
  expect(explain(new Error('Canister x is out of cycles: IC0207'))).toContain('tops it up');
  expect(explain(new TypeError('Failed to fetch'))).toContain('try again');
  expect(explain(new TypeError('Failed to fetch dynamically imported module: https://stoa/5.js'))).toContain('try again');
});

it('should tell a refused request from an answer that does not verify', () => {
  const refused = 'HTTP request failed:\n  Status: 400 (Bad Request)\n  Headers: []\n  Body: Invalid signature: wrong';
  expect(explain(new Error(refused))).toContain('refused the signature');
  expect(explain(new Error('Query signature verification failed. Node ID: x'))).toContain('thrown away');
  expect(explain(new Error('Certificate verification error: "Signature verification failed"'))).toContain('thrown away');
});

it('should leave out what is absent and show what an option has', () => {
  expect(describeVariant({ ChangedStatus: { from: [{ Draft: null }], to: { Sealed: null }, proposal_id: [7n], reason: [] } })).toBe(
    'changed status (from: draft, to: sealed, proposal id: 7)',
  );
});
