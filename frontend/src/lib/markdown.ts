/**
 * Cards and summaries are written by strangers. What comes out has no script, style, form or frame; links open outside and tell
 * nobody where they were; a picture is shown only if it is in the text itself and below a size.
 */
import DOMPurify from 'dompurify';
import { marked } from 'marked';

const TEXT_CHARACTERS_MAX = 200_000;
const PICTURE_CHARACTERS_MAX = 300_000;
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);base64,/;
const TAGS = [
  'a', 'blockquote', 'br', 'code', 'del', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'img', 'li', 'ol', 'p', 'pre',
  'strong', 'sub', 'sup', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul',
];

const purifier = DOMPurify();

purifier.addHook('afterSanitizeAttributes', (node) => {
  if (node.tagName === 'A') {
    node.setAttribute('target', '_blank');
    node.setAttribute('rel', 'noopener noreferrer nofollow');
  }
  // Wide ones scroll, also for who has no mouse.
  if (node.tagName === 'TABLE' || node.tagName === 'PRE') node.setAttribute('tabindex', '0');
  if (node.tagName === 'IMG') {
    const source = node.getAttribute('src') ?? '';
    if (!PICTURE.test(source) || source.length > PICTURE_CHARACTERS_MAX) {
      const note = node.ownerDocument.createElement('em');
      note.textContent = `[picture: ${node.getAttribute('alt') || 'not shown, because it is elsewhere or too large'}]`;
      node.replaceWith(note);
    }
  }
});

export function renderMarkdown(text: string): string {
  const cut = text.length > TEXT_CHARACTERS_MAX ? `${text.slice(0, TEXT_CHARACTERS_MAX)}\n\n*(cut here)*` : text;
  const html = marked.parse(cut, { async: false, gfm: true });
  return purifier.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ['href', 'src', 'alt', 'title', 'start', 'align'],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|ipfs:|#|data:image\/(?:png|jpeg|gif|webp);base64,)/i,
    ALLOW_DATA_ATTR: false,
  });
}
