import type { NodeProcess } from '../harness/node-process.ts';
import { keyIn } from './book.ts';
import type { Stage } from './stage.ts';

/** From where on an account is taken. */
export interface Mark {
  readonly event: number;
  readonly mails: number;
  /** What each process had counted, by its id. */
  readonly counted: ReadonlyMap<number, number>;
}

/** What the service said of tokens that expired before they were replaced. */
export interface LapseAccount {
  /** By the metric, over all nodes. */
  readonly counted: number;
  /** Rows of `tstevent`, by the key of the token in its provider's book. */
  readonly inHistory: readonly string[];
  /** Tokens named in mails to the people of their owner, the same way. */
  readonly mailed: readonly string[];
  readonly mails: number;
}

const metric = 'tokenpool_lapsed_tokens_total';
const inMail = /^Owner: (.+), token (\d+): expired at/gm;

export async function markNow({ stores, smtp, nodes }: Stage): Promise<Mark> {
  const [row] = await stores.query<{ last: number | null }>('SELECT MAX(eventdid) AS last FROM tstevent');
  return { event: Number(row?.last ?? 0), mails: smtp.mails.length, counted: await valuesOf(nodes, metric) };
}

/** A node that was started since counts from 0. */
export async function lapsesSince(stage: Stage, mark: Mark): Promise<LapseAccount> {
  const { stores, nodes, smtp } = stage;
  const counted = [...(await valuesOf(nodes, metric))].map(([pid, value]) => value - (mark.counted.get(pid) ?? 0));
  const events = await stores.query<{ job: string }>("SELECT jobname AS job FROM tstevent WHERE status = '4016' AND eventdid > ?", [mark.event]);
  const keys = await keysOfTokens(stage);
  const mails = smtp.mails.slice(mark.mails).filter(({ subject }) => subject.includes('Token expired before it was refreshed'));
  const addressOf = new Map(stage.owners.map(({ id, address }) => [id, address]));
  const named = mails.flatMap(({ to, text }) => [...text.matchAll(inMail)].filter(([, owner = '']) => to.length === 1 && to[0] === addressOf.get(owner)).map(([, , version]) => Number(version)));
  return {
    counted: counted.reduce((sum, count) => sum + count, 0),
    inHistory: events.map(({ job }) => keys.get(Number(/ token:(\d+)$/.exec(job)?.[1])) ?? job),
    mailed: named.map((version) => keys.get(version) ?? String(version)),
    mails: mails.length,
  };
}

/** A metric without labels, as the nodes tell it that answer, by process id. */
export async function valuesOf(nodes: readonly NodeProcess[], name: string): Promise<Map<number, number>> {
  const values = await Promise.all(nodes.map(async ({ pid, adminUrl }) => {
    const text = await metricsAt(adminUrl);
    const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
    return value === undefined ? [] : [[pid, Number(value)] as const];
  }));
  return new Map(values.flat());
}

/** Empty where nobody listens. @throws Error where somebody does and does not answer, however busy the machine */
async function metricsAt(adminUrl: string): Promise<string> {
  const signal = AbortSignal.timeout(30_000);
  return fetch(`${adminUrl}/metrics`, { signal, headers: { connection: 'close' } }).then((answer) => answer.text(), () => {
    if (signal.aborted) throw new Error(`${adminUrl}/metrics does not answer`);
    return '';
  });
}

/** The book's key of each row of `tsttoken`. */
async function keysOfTokens({ stores, brief, lasting }: Stage): Promise<Map<number, string>> {
  const rows = await stores.query<{ version: number; accessToken: string; url: string }>('SELECT t.tokendid AS version, t.accesstoken AS accessToken, w.tokenurl AS url FROM tsttoken t JOIN tsxwho w USING (tsxwhodid)');
  return new Map(rows.map(({ version, accessToken, url }) => {
    const provider = url === brief.tokenUrl ? brief : lasting;
    const { grantId, expiresAt } = provider.isLive(accessToken);
    return [version, keyIn(provider, grantId, expiresAt)];
  }));
}
