import { setTimeout as delay } from 'node:timers/promises';

import type { CourierSetup } from './assembly/courier-setup.ts';
import { AttemptRecorder } from './journal/attempt-recorder.ts';
import { Journal } from './journal/journal.ts';
import { keepWarm } from './mysql/keep-warm.ts';
import { markSending } from './mysql/mark-sending.ts';
import { openDatabase } from './mysql/connection.ts';
import { packed, unpacked, type FromCourier, type ToCourier } from './oauth/courier-message.ts';
import { ErrandRunner, recordingLimitMs, type Errand, type ErrandAnswer } from './oauth/errand.ts';
import { rehearse } from './oauth/rehearse.ts';
import { TokenEndpoint } from './oauth/token-endpoint.ts';
import { connectRedis, disconnectRedis } from './redis/connection.ts';
import { PendingAnswers } from './redis/pending.ts';
import { KeyRing } from './runtime/key-ring.ts';
import type { Logger } from './runtime/log.ts';

interface Running {
  readonly runner: ErrandRunner;
  readonly lastMomentMs: number;
  close(): Promise<void>;
}

let running: Running | undefined;
let ending = false;
/** Messages to the service that have not left this process yet. */
const leaving = new Set<Promise<void>>();

const logger: Logger = {
  trace: (fields, message) => log('trace', fields, message),
  debug: (fields, message) => log('debug', fields, message),
  info: (fields, message) => log('info', fields, message),
  warn: (fields, message) => log('warn', fields, message),
  error: (fields, message) => log('error', fields, message),
};

// The service decides when the courier ends: by `stop`, or by its own end. What a terminal or an init system says to both is for the service.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
// One errand's fault must not lose the answers of the others.
process.on('uncaughtException', (error) => logger.error(placeOf(error), 'Unexpected failure in the courier'));
process.stderr.on('error', () => undefined);
process.on('message', (message) => void receive(unpacked(message) as ToCourier));
process.on('disconnect', () => void end());
if (!process.connected) void end();

async function receive(message: ToCourier): Promise<void> {
  if (message.type === 'start') await start(message.setup as CourierSetup);
  else if (message.type === 'stop') await end();
  else if (running) await untilLeft(answer(message.errand, running.runner));
}

async function start(setup: CourierSetup): Promise<void> {
  try {
    running = await build(setup);
    await tell({ type: 'ready' });
  } catch (error) {
    logger.error({ reason: (error as Error).message }, 'The courier cannot start');
    await end();
  }
}

async function build({ send, journalFolder, database, redis, ring }: CourierSetup): Promise<Running> {
  const endpoint = new TokenEndpoint(send);
  rehearse(endpoint).catch((error: unknown) => logger.debug({ reason: (error as Error).message }, 'The courier could not rehearse'));
  const keyRing = new KeyRing(ring.keys, ring.activeId);
  const journal = new Journal(journalFolder, keyRing);
  await journal.open().catch((error: unknown) => logger.error({ reason: (error as Error).message }, 'The journal cannot be written to; granted answers are kept in Redis only'));
  const client = connectRedis(redis.endpoint, 'write', logger);
  const pending = new PendingAnswers(client, redis.prefix);
  const db = openDatabase(database, logger);
  const warm = keepWarm(db, 1, () => true);
  await warm.start();
  const recorder = new AttemptRecorder(journal, keyRing, (attempt, sealed) => persistently(() => pending.put(attempt, sealed)), (attempt) => markSending(db, attempt));
  return {
    runner: new ErrandRunner(endpoint, recorder, logger, (fault) => void untilLeft(tell({ type: 'fault', fault }))),
    lastMomentMs: send.connectTimeoutMs + send.answerTimeoutMs + 2 * recordingLimitMs + 3000,
    close: async () => {
      disconnectRedis(client);
      await warm.stop();
      await Promise.all([journal.close(), db.close()]);
    },
  };
}

/** A Redis that comes back within the time that recording may take is not missed. */
async function persistently(work: () => Promise<void>): Promise<void> {
  const until = performance.now() + recordingLimitMs * 0.8;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > until) throw error;
      await delay(100);
    }
  }
}

async function answer(errand: Errand, runner: ErrandRunner): Promise<void> {
  await tell({ type: 'answer', attempt: errand.attempt, answer: await answerTo(errand, runner) });
}

async function answerTo(errand: Errand, runner: ErrandRunner): Promise<ErrandAnswer> {
  try {
    return await runner.run(errand);
  } catch (error) {
    logger.error({ attempt: errand.attempt, ...placeOf(error as Error) }, 'Unexpected failure of a refresh request');
    return { kind: 'in_doubt', status: null, detail: 'unexpected failure in the courier' };
  }
}

/** Finishes what is under way, then ends the process; at the latest when every deadline has passed. */
async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  setTimeout(() => process.exit(1), running?.lastMomentMs ?? 0);
  await Promise.all(leaving);
  await running?.runner.idle();
  await Promise.all(leaving);
  await running?.close();
  process.exit(0);
}

/** Resolves when the message has left this process, or nobody is there to get it. */
async function tell(message: FromCourier): Promise<void> {
  if (!process.connected) return;
  await new Promise<void>((resolve) => process.send?.(packed(message), () => resolve()));
}

/** The process does not end by itself before `sending` is done. */
async function untilLeft(sending: Promise<void>): Promise<void> {
  leaving.add(sending);
  await sending;
  leaving.delete(sending);
}

/** Where it went wrong; the message of an unexpected error can quote what it stumbled over. */
function placeOf(error: Error): object {
  return { failure: error.name, at: error.stack?.split('\n').filter((line) => line.startsWith('    at ')).slice(0, 6) };
}

/** Once the service is gone, only failures are still said, to the terminal. */
function log(level: keyof Logger, fields: object, message: string): void {
  if (process.connected) void untilLeft(tell({ type: 'log', level, fields, message }));
  else if (level === 'error') process.stderr.write(`${JSON.stringify({ level, process: 'courier', message, ...fields })}\n`);
}
