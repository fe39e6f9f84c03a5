import { readFileSync } from 'node:fs';

const lookEveryMs = 100;

/** From now on this process sees a wall clock that is off by what the file says, ms; timers and the monotonic clock stay right. */
export function followWallClock(file: string): void {
  let offMs = read(file);
  setInterval(() => (offMs = read(file)), lookEveryMs).unref();
  const RightDate = Date;
  const wrongNow = (): number => RightDate.now() + offMs;
  globalThis.Date = new Proxy(RightDate, {
    construct: (target, args: unknown[], newTarget) => Reflect.construct(target, args.length === 0 ? [wrongNow()] : args, newTarget) as Date,
    apply: () => new RightDate(wrongNow()).toString(),
    get: (target, name) => (name === 'now' ? wrongNow : (Reflect.get(target, name) as unknown)),
  });
}

function read(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    return 0;
  }
}
