import type { NotedRead } from './reads.ts';
import type { Stage } from './stage.ts';

interface Row {
  readonly owner: string;
  readonly version: number;
  readonly issuedMs: number;
  readonly validityMs: number;
  readonly parent: number | null;
}

/** When a token could be handed out by the record, epoch ms. */
interface RecordedToken {
  readonly from: number;
  readonly until: number;
}

/** The times of the history are whole seconds; and a token that is recorded has to reach the nodes. */
const recordedLateMs = 1500;
/** The end of a token is not handed out, and clocks differ a little. */
const endMs = 150;

/** Every token of every owner that the record ever held, by owner. */
export async function tokensOnRecord({ stores }: Stage): Promise<ReadonlyMap<string, readonly RecordedToken[]>> {
  const rows = await stores.query<Row>(`SELECT w.ownerid AS owner, t.tokendid AS version, ROUND(UNIX_TIMESTAMP(t.createdtime) * 1000) AS issuedMs, t.tokenvalidity AS validityMs,
    t.parenttokendid AS parent FROM tsttoken t JOIN tsxwho w USING (tsxwhodid)`);
  const saved = await stores.query<{ text: string; at: number }>("SELECT text, UNIX_TIMESTAMP(createdtime) * 1000 AS at FROM tstevent WHERE status = '4003'");
  const savedAt = new Map(saved.map(({ text, at }) => [Number(/^token (\d+) was saved/.exec(text)?.[1]), Number(at)]));
  const recorded = rows.map(({ owner, version, issuedMs, validityMs, parent }) => {
    const from = parent === null ? Number(issuedMs) : (savedAt.get(version) ?? Infinity);
    return { owner, from: from + recordedLateMs, until: Number(issuedMs) + Number(validityMs) - endMs };
  });
  return Map.groupBy(recorded, ({ owner }) => owner);
}

/** Reads that failed although the owner had a token, on record and alive, from their beginning to their end. */
export function failedInVain(reads: readonly NotedRead[], onRecord: ReadonlyMap<string, readonly RecordedToken[]>): NotedRead[] {
  const hadToken = ({ owner, sentAt, endedAt }: NotedRead): boolean => (onRecord.get(owner) ?? []).some(({ from, until }) => from <= sentAt && until >= endedAt);
  return reads.filter((read) => read.why !== undefined && hadToken(read));
}
