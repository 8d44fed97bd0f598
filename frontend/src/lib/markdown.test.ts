// @vitest-environment jsdom
import { describe, expect, it } from 'vitest';
import { renderMarkdown } from './markdown';

/** Only what says its size. */
function picture(width: number, height: number): string {
  const header = new Uint8Array(33);
  header.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  new DataView(header.buffer).setUint32(16, width);
  new DataView(header.buffer).setUint32(20, height);
  return `data:image/png;base64,${btoa(String.fromCharCode(...header))}`;
}

describe('a card by a stranger', () => {
  it('should keep headings, lists, code and tables', () => {
    const html = renderMarkdown('# Title\n\n- one\n\n`code`\n\n| a | b |\n|---|---|\n| 1 | 2 |');
    for (const part of ['<h1>', '<li>', '<code>', '<table']) expect(html).toContain(part);
  });

  it('should not take the name of a version for the address of a person', () => {
    expect(renderMarkdown('# Admit stoa/digits@1.0.0')).toContain('<h1>Admit stoa/digits@1.0.0</h1>');
    expect(renderMarkdown('See https://example.org/a, or [write](mailto:a@example.org).').match(/<a /g)).toHaveLength(2);
  });

  it.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '[click](javascript:alert(1))',
    '<svg><script>alert(1)</script></svg>',
    '<iframe src="https://example.org"></iframe>',
    '<form action="https://example.org"><input></form>',
    '<style>body{display:none}</style>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
  ])('should take the harm out of %s', (hostile) => {
    const html = renderMarkdown(hostile);
    expect(html).not.toMatch(/<script|onerror|javascript:|<iframe|<form|<style|<svg|data:text/i);
  });

  it('should not load pictures from elsewhere or huge ones', () => {
    expect(renderMarkdown('![cat](https://example.org/cat.png)')).not.toContain('<img');
    expect(renderMarkdown(`![big](data:image/png;base64,${'A'.repeat(400_000)})`)).not.toContain('<img');
    expect(renderMarkdown('![none](data:image/png;base64,AAAA)')).not.toContain('<img');
    expect(renderMarkdown(`![dot](${picture(1, 1)})`)).toContain('<img');
  });

  it('should show no more pixels than a browser bears, of one picture or of many', () => {
    expect(renderMarkdown(`![bomb](${picture(20_000, 20_000)})`)).toContain('<em>[picture: bomb]</em>');
    const many = renderMarkdown(`![part](${picture(2_000, 2_000)}) `.repeat(10));
    expect(many.match(/<img/g)).toHaveLength(4);
    expect(many.match(/\[picture: part\]/g)).toHaveLength(6);
    // Each text has as much as the first.
    expect(renderMarkdown(`![part](${picture(2_000, 2_000)})`)).toContain('<img');
  });

  it.each([['> '.repeat(50_000)], ['['.repeat(50_000)], ['*a '.repeat(50_000)], ['- '.repeat(50_000)], ['1. '.repeat(50_000)]])('should end on what is nested without an end (%#)', (text) => {
    expect(renderMarkdown(`${text}end`)).toContain('end');
  });

  it('should cut a text without an end', () => {
    expect(renderMarkdown('x'.repeat(1_000_000)).length).toBeLessThan(300_000);
  });
});
