/** Messages about what was done or failed, announced to screen readers; they stay until closed or, if good, for a while. */
import { explain } from './explain';

export interface Notice {
  readonly id: number;
  readonly kind: 'success' | 'error';
  readonly text: string;
}

const SUCCESS_SHOWN_MILLISECONDS = 6_000;

class Notices {
  list: Notice[] = $state([]);
  #next = 1;

  success(text: string): void {
    const id = this.#add('success', text);
    setTimeout(() => this.close(id), SUCCESS_SHOWN_MILLISECONDS);
  }

  failure(what: string, error: unknown): void {
    this.#add('error', `${what}: ${explain(error)}`);
  }

  close(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }

  #add(kind: Notice['kind'], text: string): number {
    const id = this.#next++;
    this.list = [...this.list, { id, kind, text }];
    return id;
  }
}

export const notices = new Notices();
