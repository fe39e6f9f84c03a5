import { StoreUnavailable } from '../domain/errors.ts';

/** Told how long each call of a store took and whether it succeeded. */
export type ObserveCall = (operation: string, seconds: number, ok: boolean) => void;

/** Runs a Redis command; whatever goes wrong is `StoreUnavailable`. */
export async function callRedis<T>(operation: string, observe: ObserveCall, command: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  let ok = false;
  try {
    const reply = await command();
    ok = true;
    return reply;
  } catch (error) {
    throw new StoreUnavailable('redis', error);
  } finally {
    observe(operation, (performance.now() - begun) / 1000, ok);
  }
}
