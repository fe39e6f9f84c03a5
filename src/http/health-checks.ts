/** What a dependency's check says; further fields go out as they are, and none may hold a secret. */
export interface Health {
  readonly healthy: boolean;
  readonly message?: string;
  readonly [detail: string]: unknown;
}

export type HealthCheck = (signal: AbortSignal) => Promise<Health>;

/** ms after which a check that says nothing counts as failed: shorter than a probe's usual patience with the whole answer. */
const deadlineMs = 5_000;

/** Runs all checks at once; one that throws or hangs is unhealthy, and holds up no other. */
export async function runChecks(checks: Readonly<Record<string, HealthCheck>>, withinMs = deadlineMs): Promise<Record<string, Health>> {
  const results = await Promise.all(Object.entries(checks).map(async ([name, check]) => [name, await runCheck(check, withinMs)] as const));
  return Object.fromEntries(results);
}

async function runCheck(check: HealthCheck, withinMs: number): Promise<Health> {
  const late = new AbortController();
  const { promise: noAnswer, resolve } = Promise.withResolvers<Health>();
  const timer = setTimeout(() => {
    late.abort();
    resolve({ healthy: false, message: `no answer within ${withinMs} ms` });
  }, withinMs);
  try {
    return await Promise.race([check(late.signal), noAnswer]);
  } catch (error) {
    return { healthy: false, message: error instanceof Error ? error.message : 'failed' };
  } finally {
    clearTimeout(timer);
  }
}
