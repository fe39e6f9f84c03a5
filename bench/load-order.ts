/** What the load generator is told to do. */
export interface LoadOrder {
  readonly port: number;
  /** Asked for in turn. */
  readonly paths: readonly string[];
  readonly connections: number;
  /** Time of full load before anything is counted. */
  readonly warmUpMs: number;
  /** Time that is counted; 0: until every path was asked for once. */
  readonly measureMs: number;
}

export interface LoadResult {
  readonly answers: number;
  /** Those of the warm-up included. */
  readonly allAnswers: number;
  /** Answers with another status than 200, and connections that broke. */
  readonly failures: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}
