/**
 * What `work` gives, if it does so within `ms`.
 * @throws what `work` throws; else an Error after that time. The work itself goes on.
 */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`Redis gave no answer within ${Math.round(ms)} ms`)), ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
