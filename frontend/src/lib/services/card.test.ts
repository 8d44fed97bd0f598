import { describe, expect, it } from 'vitest';
import { frontMatterValue, parseCard } from './card';

describe('the front matter of a card', () => {
  it('should read the fields and leave the Markdown', () => {
    const card = parseCard(
      '---\nlanguage: en\nlicense: mit\ntags:\n  - digits\n  - \'small model\'\ndatasets: [mnist, "other"]\nmetrics: []\nmodel-index:\n  - name: x\n    results: 1\nbase_model: stoa/digits\nlibrary_name: transformers\nlicense_name: "digits-1.0"\nlicense_link: LICENSE\n---\n\n# Title\n',
    );
    expect(card).toEqual({
      markdown: '# Title\n',
      language: ['en'],
      tags: ['digits', 'small model'],
      datasets: ['mnist', 'other'],
      metrics: [],
      base_model: ['stoa/digits'],
      library_name: ['transformers'],
      license_name: ['digits-1.0'],
      license_link: ['LICENSE'],
    });
  });

  it('should read line ends of Windows, and take a card without front matter as Markdown', () => {
    expect(parseCard('---\r\nlanguage: en\r\n---\r\n# Title\r\n')).toMatchObject({ language: ['en'], markdown: '# Title\n' });
    expect(parseCard('# Title\n---\ntext').markdown).toBe('# Title\n---\ntext');
  });

  it('should find one value of any field', () => {
    const card = "---\nlicense: 'apache-2.0'\ntags:\n- a\npipeline_tag: fill-mask\n---\n";
    expect(frontMatterValue(card, 'license')).toBe('apache-2.0');
    expect(frontMatterValue(card, 'tags')).toBeUndefined();
    expect(frontMatterValue('# Title\nlicense: mit\n', 'license')).toBeUndefined();
  });

  it.each(['---\n- a\n---\n', '---\nno field\n---\n', '---\nbase_model: [a, b]\n---\n', '---\nlicense_name: [a, b]\n---\n'])('should refuse %j', (text) => {
    expect(() => parseCard(text)).toThrow();
  });
});
