/**
 * Cards and summaries are written by strangers. What comes out has no script, style, form or frame; links open outside and tell
 * nobody where they were; a picture is shown only if it is in the text itself and below a size.
 */
import DOMPurify from 'dompurify';
import { GIF } from 'image-size/types/gif';
import { JPG } from 'image-size/types/jpg';
import { PNG } from 'image-size/types/png';
import { WEBP } from 'image-size/types/webp';
import { Marked } from 'marked';

const TEXT_CHARACTERS_MAX = 200_000;
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);base64,/;
const FORMATS = [PNG, JPG, GIF, WEBP];
/** Of all pictures of a text together: a few kilobytes can be a picture of gigabytes. At 4 bytes a pixel these take 64 MB. */
const PIXELS_MAX = 16_000_000;
const TAGS = [
  'a', 'blockquote', 'br', 'code', 'del', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'img', 'li', 'ol', 'p', 'pre',
  'strong', 'sub', 'sup', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul',
];

/** Names of versions (`stoa/digits@1.0.0`) look like addresses of people: only what its writer calls a link is one, and URLs. */
const markdown = new Marked({
  async: false,
  gfm: true,
  tokenizer: {
    url(source) {
      return /^(?:https?:\/\/|www\.)/i.test(source) ? false : undefined;
    },
  },
});

const purifier = DOMPurify();
let pixelsLeft = 0;

/** As its header says, which is what a browser goes by; more than anybody has where there is none. */
function pixelsOf(source: string): number {
  try {
    const bytes = Uint8Array.from(atob(source.replace(PICTURE, '')), (character) => character.charCodeAt(0));
    const { width, height } = FORMATS.find((format) => format.validate(bytes))?.calculate(bytes) ?? {};
    return width === undefined || height === undefined ? Infinity : width * height;
  } catch {
    return Infinity;
  }
}

purifier.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName === 'A') {
    node.setAttribute('target', '_blank');
    node.setAttribute('rel', 'noopener noreferrer nofollow');
  }
  // Wide ones scroll, also for who has no mouse.
  if (node.tagName === 'TABLE' || node.tagName === 'PRE') node.setAttribute('tabindex', '0');
  if (node.tagName === 'IMG') {
    const source = node.getAttribute('src') ?? '';
    const pixels = PICTURE.test(source) ? pixelsOf(source) : Infinity;
    if (pixels <= pixelsLeft) pixelsLeft -= pixels;
    else {
      const note = node.ownerDocument.createElement('em');
      note.textContent = `[picture: ${node.getAttribute('alt') || 'not shown, because it is elsewhere or too large'}]`;
      node.replaceWith(note);
    }
  }
});

/** Quotes and lists in each other, in one line; the parser's time grows with the square of it. */
const NESTED = /^[ \t]*(?:>[ \t]*|(?:[-+*]|\d{1,9}[.)])[ \t]+){40}/m;

/** What is nested too deep is shown as it was written. */
function parse(text: string): string {
  if (!NESTED.test(text)) return markdown.parse(text, { async: false });
  const plain = document.createElement('pre');
  plain.textContent = text;
  return plain.outerHTML;
}

export function renderMarkdown(text: string): string {
  pixelsLeft = PIXELS_MAX;
  const cut = text.length > TEXT_CHARACTERS_MAX ? `${text.slice(0, TEXT_CHARACTERS_MAX)}\n\n*(cut here)*` : text;
  const html = parse(cut);
  return purifier.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ['href', 'src', 'alt', 'title', 'start', 'align'],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|ipfs:|#|data:image\/(?:png|jpeg|gif|webp);base64,)/i,
    ALLOW_DATA_ATTR: false,
  });
}
