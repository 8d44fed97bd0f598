import { describe, expect, it } from 'vitest';
import type { InferenceTypes } from '$lib/api/stoa';
import { compare } from './device';

const classes = (...scores: [index: bigint, score: number][]): InferenceTypes.Answer => ({
  Classes: [scores.map(([index, score]) => ({ index, score, label: '' }))],
});

describe('two answers', () => {
  it('should be equal to the bit where they are', () => {
    const answer = { Embeddings: [[0.25, -1], [3, 4]] };
    expect(compare(answer, answer)).toMatchObject({ numbers: 4, equalToTheBit: true, largest: 0, sameShape: true });
  });

  it('should say how far they are apart', () => {
    const compared = compare({ Embeddings: [[1, 2]] }, { Embeddings: [[1, 2.5]] });
    expect(compared).toMatchObject({ equalToTheBit: false, largest: 0.5, sameShape: true });
  });

  it('should take classes for the same in whatever order equal scores are, and others for another answer', () => {
    expect(compare(classes([1n, 0.5], [2n, 0.5]), classes([2n, 0.5], [1n, 0.5]))).toMatchObject({ equalToTheBit: true, sameShape: true });
    expect(compare(classes([1n, 0.5]), classes([2n, 0.5])).sameShape).toBe(false);
    expect(compare(classes([1n, 0.5]), { Embeddings: [[0.5]] }).sameShape).toBe(false);
  });
});
