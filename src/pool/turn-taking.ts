/** Lets the refreshes of one owner follow one another, so that its slots are not out of the pool at the same time. */
export class TurnTaking {
  readonly #last = new Map<number, Promise<void>>();

  /** Runs `work` when the refresh before it has ended, or after `patienceMs` at the latest: a turn that takes too long must not let this token die. */
  async next<T>(ownerDid: number, patienceMs: () => Promise<number>, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(ownerDid);
    let done = (): void => undefined;
    const turn = new Promise<void>((resolve) => (done = resolve));
    this.#last.set(ownerDid, turn);
    try {
      if (before) await Promise.race([before, patienceMs().then(timeout)]);
      return await work();
    } finally {
      done();
      if (this.#last.get(ownerDid) === turn) this.#last.delete(ownerDid);
    }
  }
}

async function timeout(ms: number): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, ms)).unref());
}
