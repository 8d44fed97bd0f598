/** Lists of a manifest as rows of text, as a form has them: read back where they can be, with what is wrong where they cannot. */
import { Principal } from '@icp-sdk/core/principal';
import type { RegistryTypes } from '$lib/api/stoa';
import { fromHex, toHex } from '$lib/bytes';

export interface Column {
  readonly label: string;
  readonly placeholder?: string;
  /** What there is to choose from; free text where absent. */
  readonly options?: readonly string[];
}

export interface RowKind<T> {
  readonly columns: readonly Column[];
  /** One text a column. Throws a {@link RowError} that says what is needed. */
  read(texts: readonly string[]): T;
  write(row: T): string[];
}

export class RowError extends Error {
  override readonly name = 'RowError';
}

const RELATIONS = ['Finetune', 'Adapter', 'Quantized', 'Merge', 'Distilled', 'Converted'] as const;

export const PARENTS: RowKind<RegistryTypes.Parent> = {
  columns: [
    { label: 'Parent, by its digest', placeholder: '64 hexadecimal digits' },
    { label: 'How', options: RELATIONS },
  ],
  read([version = '', relation = '']) {
    const digits = version.trim();
    if (!/^[0-9a-fA-F]{64}$/.test(digits)) throw new RowError('a digest has 64 hexadecimal digits, as the page of a model shows it');
    const known = RELATIONS.find((each) => each === relation);
    if (known === undefined) throw new RowError(`how it was made: one of ${RELATIONS.join(', ')}`);
    return { version: fromHex(digits), relation: { [known]: null } as RegistryTypes.Relation };
  },
  write: ({ version, relation }) => [toHex(version), Object.keys(relation)[0] ?? ''],
};

/** Shares are shown in percent and kept in hundredths of one. */
export const ROYALTIES: RowKind<RegistryTypes.RoyaltyShare> = {
  columns: [
    { label: 'Who earns', placeholder: 'principal' },
    { label: 'Share of the price in %', placeholder: '10' },
    { label: 'Subaccount', placeholder: 'none' },
  ],
  read([owner = '', percent = '', subaccount = '']) {
    let principal: Principal;
    try {
      principal = Principal.fromText(owner.trim());
    } catch {
      throw new RowError('who earns is a principal, as the wallet shows it');
    }
    const [, whole, hundredths = ''] = /^(\d{1,3})(?:\.(\d{1,2}))?$/.exec(percent.trim()) ?? [];
    const basis_points = Number(whole ?? NaN) * 100 + Number(hundredths.padEnd(2, '0'));
    if (!(basis_points > 0 && basis_points <= 10_000)) throw new RowError('a share is more than 0 and at most 100 %, as 10 or 2.5');
    const account = subaccount.trim();
    if (account !== '' && !/^[0-9a-fA-F]{64}$/.test(account)) throw new RowError('a subaccount is 64 hexadecimal digits, or nothing');
    return { owner: principal, subaccount: account === '' ? [] : [fromHex(account)], basis_points };
  },
  write: ({ owner, basis_points, subaccount }) => [owner.toText(), String(basis_points / 100), subaccount[0] === undefined ? '' : toHex(subaccount[0])],
};

export const CLAIMS: RowKind<RegistryTypes.EvaluationClaim> = {
  columns: [
    { label: 'Data set', placeholder: 'squad' },
    { label: 'Split', placeholder: 'test' },
    { label: 'Metric', placeholder: 'accuracy' },
    { label: 'Value', placeholder: '0.98' },
  ],
  read(texts) {
    const [dataset = '', split = '', metric = '', value = ''] = texts.map((text) => text.trim());
    if ([dataset, split, metric, value].includes('')) throw new RowError('data set, split, metric and value are all needed');
    return { dataset, split, metric, value };
  },
  write: ({ dataset, split, metric, value }) => [dataset, split, metric, value],
};

/** What is wrong with a row; nothing where it can be read. */
export function reasonOf<T>(kind: RowKind<T>, texts: readonly string[]): string | undefined {
  try {
    kind.read(texts);
    return undefined;
  } catch (error) {
    if (error instanceof RowError) return error.message;
    throw error;
  }
}
