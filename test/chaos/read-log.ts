import type { EndedRead } from '../harness/readers.ts';
import { readToken } from '../harness/provider/token-text.ts';
import type { ReadAnswer } from './evidence.ts';

/**
 * What readers got, read by read, as `onRead` of the readers brings it. Of a token only its grant and its place in it are kept:
 * an hour at a hundred reads a second takes some 60 MB.
 */
export class ReadLog {
  readonly answers: ReadAnswer[] = [];
  /** The same text once: each answer brings a copy of its own. */
  readonly #texts = new Map<string, string>();

  readonly note = ({ owner, sentAt, endedAt, servedBy, status, why, token }: EndedRead): void => {
    this.answers.push({
      owner,
      sentAt,
      endedAt,
      servedBy: this.#once(servedBy),
      status,
      why: this.#once(why),
      grantId: token?.judgement.grantId ?? undefined,
      sequence: token ? readToken('at', token.text)?.sequence : undefined,
    });
  };

  #once(text: string | undefined): string | undefined {
    if (text === undefined) return undefined;
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return known ?? text;
  }
}
