const bucketMs = 0.01;
const buckets = 200_000;

/** Latencies up to 2 s to the hundredth of a millisecond: cheap enough to count each. */
export class Latencies {
  readonly #counts = new Uint32Array(buckets);
  #total = 0;

  add(ms: number): void {
    const bucket = Math.min(buckets - 1, Math.floor(ms / bucketMs));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
  }

  /** @param share 0 to 1 @returns ms; 0 where nothing was counted */
  quantile(share: number): number {
    let left = Math.ceil(this.#total * share);
    for (let bucket = 0; bucket < buckets && left > 0; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return (bucket + 1) * bucketMs;
    }
    return 0;
  }
}
