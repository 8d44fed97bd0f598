import { expect, it } from 'vitest';
import { CLAIMS, PARENTS, ROYALTIES, reasonOf, type RowKind } from './rows';

const VERSION = '0a'.repeat(32);
const OWNER = 'aaaaa-aa';

function back<T>(kind: RowKind<T>, texts: string[]): string[] {
  return kind.write(kind.read(texts));
}

it.each([
  ['a parent', PARENTS as RowKind<unknown>, [VERSION, 'Distilled']],
  ['a royalty', ROYALTIES as RowKind<unknown>, [OWNER, '2.5', '']],
  ['the whole price', ROYALTIES as RowKind<unknown>, [OWNER, '100', VERSION]],
  ['a claim', CLAIMS as RowKind<unknown>, ['squad', 'test', 'f1', '0.9']],
])('should write what it read: %s', (_, kind, texts) => {
  expect(reasonOf(kind, texts)).toBeUndefined();
  expect(back(kind, texts)).toEqual(texts);
});

it('should keep shares in hundredths of a percent, exactly', () => {
  for (const [text, points] of [['10', 1_000], ['0.29', 29], ['2.5', 250], ['100.00', 10_000]] as const) {
    expect(ROYALTIES.read([OWNER, text]).basis_points).toBe(points);
  }
});

it.each([
  [PARENTS as RowKind<unknown>, ['abc', 'Merge'], /64 hexadecimal digits/],
  [PARENTS as RowKind<unknown>, [VERSION, ''], /one of Finetune/],
  [ROYALTIES as RowKind<unknown>, ['nobody', '10', ''], /principal/],
  [ROYALTIES as RowKind<unknown>, [OWNER, '0', ''], /at most 100 %/],
  [ROYALTIES as RowKind<unknown>, [OWNER, '100.01', ''], /at most 100 %/],
  [ROYALTIES as RowKind<unknown>, [OWNER, '1e1', ''], /at most 100 %/],
  [ROYALTIES as RowKind<unknown>, [OWNER, '10', 'ab'], /subaccount/],
  [CLAIMS as RowKind<unknown>, ['squad', ' ', 'f1', '0.9'], /all needed/],
])('should say what a row lacks (%#)', (kind, texts, reason) => {
  expect(reasonOf(kind, texts)).toMatch(reason);
});
