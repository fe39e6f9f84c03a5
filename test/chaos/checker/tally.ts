import type { Finding } from '../evidence.ts';

/** Counts the cases of an invariant and keeps what broke it. */
export class Tally {
  readonly #invariant: string;
  readonly #violations: string[] = [];
  #cases = 0;

  constructor(invariant: string) {
    this.#invariant = invariant;
  }

  /** One case. @param broken what is wrong with it, without secrets; undefined where it holds */
  case(broken?: string): void {
    this.#cases++;
    if (broken !== undefined) this.#violations.push(broken);
  }

  finding(): Finding {
    return { invariant: this.#invariant, cases: this.#cases, violations: this.#violations };
  }
}

/** Time of day, for people who compare a violation with logs. */
export function clockTime(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}
