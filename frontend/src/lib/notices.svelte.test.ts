import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { notices } from './notices.svelte';

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  for (const { id } of notices.list) notices.close(id);
  vi.useRealTimers();
});

it('should keep what failed until somebody has closed it, and what went well for a while', () => {
  notices.success('Sent.');
  notices.failure('Sending', new Error('no funds'));
  expect(notices.list.map(({ kind, text }) => [kind, text])).toEqual([['success', 'Sent.'], ['error', 'Sending: no funds']]);
  vi.advanceTimersByTime(60_000);
  expect(notices.list.map(({ kind }) => kind)).toEqual(['error']);
  notices.close(notices.list[0]?.id ?? 0);
  expect(notices.list).toEqual([]);
});

it('should tell two equal messages apart', () => {
  notices.failure('Sending', new Error('no funds'));
  notices.failure('Sending', new Error('no funds'));
  const [first, second] = notices.list;
  expect(first?.id).not.toBe(second?.id);
  notices.close(first?.id ?? 0);
  expect(notices.list).toEqual([second]);
});
