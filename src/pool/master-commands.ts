import { setTimeout as delay } from 'node:timers/promises';

import { ServiceError, StoreUnavailable, type ErrorCode } from '../domain/errors.ts';
import { expiresAt, type Token } from '../domain/token.ts';
import type { Database } from '../mysql/connection.ts';
import type { OwnerTable } from '../mysql/owners.ts';
import type { TokenTable } from '../mysql/tokens.ts';
import type { Command, CommandResult, CommandSender } from '../queue/command-queue.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/log.ts';
import { codeOfSkip, mayPass, type RefreshResult } from './refresh-result.ts';
import type { TokenRefresher } from './refresh-token.ts';
import type { PoolRestarter } from './restart-pool.ts';
import type { Term } from './term.ts';

/** Carries out commands on the master. What goes wrong is an answer: the caller may be on another node. */
export class CommandHandler {
  readonly #refresher: Pick<TokenRefresher, 'refresh'>;
  readonly #restarter: Pick<PoolRestarter, 'restart'>;
  readonly #db: Database;
  readonly #owners: OwnerTable;
  readonly #tokens: TokenTable;
  readonly #logger: Logger;

  constructor(refresher: Pick<TokenRefresher, 'refresh'>, restarter: Pick<PoolRestarter, 'restart'>, db: Database, owners: OwnerTable, tokens: TokenTable, logger: Logger) {
    this.#refresher = refresher;
    this.#restarter = restarter;
    this.#db = db;
    this.#owners = owners;
    this.#tokens = tokens;
    this.#logger = logger;
  }

  /** @param begunAfter epoch ms, where another master may have begun with it before: what it has tried is not tried again */
  async handle(command: Command, term: Term, begunAfter?: number): Promise<CommandResult> {
    try {
      if (command.verb === 'restart') return await this.#restart(command.ownerId);
      if (begunAfter !== undefined && (await this.#failedSince(command.version, begunAfter))) return { ok: false, code: 'TPS0020' };
      return await this.#refresh(command.ownerId, command.version, term);
    } catch (error) {
      return { ok: false, code: this.#codeOf(error) };
    }
  }

  async #restart(ownerId: string): Promise<CommandResult> {
    await this.#restarter.restart(ownerId);
    return { ok: true, version: 0 };
  }

  async #refresh(ownerId: string, version: number, term: Term): Promise<CommandResult> {
    const owner = await this.#owners.byId(this.#db, ownerId);
    if (!owner) return { ok: false, code: 'TPS0013' };
    const result = await this.#refresher.refresh(version, owner.did, term, 'demand');
    if (result.kind !== 'skipped' || result.reason !== 'gone') return resultOf(result);
    // Refreshed since the command was sent: by a master that died before it could say so, or because it was due.
    const child = await this.#tokens.childOf(this.#db, version);
    return child === undefined ? resultOf(result) : { ok: true, version: child };
  }

  /** Twice in a row `invalid_grant` ends a grant, and a retry counts: neither is for a command to bring about by being carried out once more. */
  async #failedSince(version: number, since: number): Promise<boolean> {
    const token = await this.#tokens.byVersion(this.#db, version);
    return token !== undefined && token.retryCount > 0 && (token.stateSince ?? 0) >= since;
  }

  #codeOf(error: unknown): ErrorCode {
    if (error instanceof ServiceError) return error.code;
    if (error instanceof StoreUnavailable) return 'TP0002';
    this.#logger.error({ error }, 'A command failed');
    return 'TPS0031';
  }
}

function resultOf(result: RefreshResult): CommandResult {
  switch (result.kind) {
    case 'refreshed':
      return { ok: true, version: result.version };
    case 'failed':
      return { ok: false, code: result.code };
    case 'skipped':
      return { ok: false, code: codeOfSkip(result.reason), again: mayPass(result.reason) };
  }
}

/** How long a caller waits for the master to carry a command out, ms, and for a master who begins with it. */
const patienceMs = 30_000;
const untilBegunMs = 8000;
/** Time before a command that was not begun is given to whoever is master then, ms. */
const againAfterMs = 100;

export interface CommandParts {
  readonly db: Database;
  readonly owners: OwnerTable;
  readonly tokens: TokenTable;
  readonly handler: Pick<CommandHandler, 'handle'>;
  readonly sender: Pick<CommandSender, 'send'>;
  readonly clock: Clock;
  /** This node's term, while it is master. */
  readonly term: () => Term | undefined;
}

/** PUT refresh and PUT restart on any node: done here by the master, else handed to it. */
export class MasterCommands {
  readonly #parts: CommandParts;

  constructor(parts: CommandParts) {
    this.#parts = parts;
  }

  /** @throws ServiceError, StoreUnavailable */
  async restart(ownerId: string): Promise<void> {
    const id = requireOwner(ownerId);
    succeeded(await this.#haveDone({ verb: 'restart', ownerId: id }));
  }

  /**
   * @param tokenId the access token now in the pool, or the id of its row
   * @returns the new access token
   * @throws ServiceError, StoreUnavailable
   */
  async refresh(ownerId: string, tokenId: string): Promise<string> {
    const id = requireOwner(ownerId);
    const { db, owners, tokens, clock } = this.#parts;
    const owner = await owners.byId(db, id);
    if (!owner) throw new ServiceError('TPS0013');
    const { version, slot } = await this.#tokenOf(owner.did, tokenId.trim());
    succeeded(await this.#haveDone({ verb: 'refresh', ownerId: id, version }));
    // What the refresh brought, or what has taken the place of that since.
    const fresh = (await tokens.ofOwner(db, owner.did)).find((token) => token.slot === slot && token.version > version);
    if (!fresh?.accessToken || expiresAt(fresh) <= clock.now()) throw new ServiceError('TPS0014');
    return fresh.accessToken.reveal();
  }

  async #tokenOf(ownerDid: number, tokenId: string): Promise<Token> {
    const { db } = this.#parts;
    const tokens = await this.#parts.tokens.ofOwner(db, ownerDid);
    const byToken = tokens.find((token) => token.accessToken?.reveal() === tokenId);
    const found = byToken ?? tokens.find((token) => String(token.version) === tokenId);
    if (found) return found;
    const replaced = /^\d{1,10}$/.test(tokenId) && (await this.#parts.tokens.wasReplaced(db, ownerDid, Number(tokenId)));
    throw new ServiceError(replaced ? 'TPS0009' : 'TPS0010');
  }

  /** A master whose term ends leaves the command to the next one. */
  async #haveDone(command: Command): Promise<CommandResult> {
    const begunAt = performance.now();
    for (;;) {
      const result = await this.#try(command);
      if (result.ok || !result.again || performance.now() - begunAt > untilBegunMs) return result;
      await delay(againAfterMs);
    }
  }

  async #try(command: Command): Promise<CommandResult> {
    const { handler, sender } = this.#parts;
    const term = this.#parts.term();
    if (term?.isTrusted()) return handler.handle(command, term);
    try {
      return await sender.send(command, patienceMs, untilBegunMs);
    } catch (error) {
      throw new ServiceError('TPS0012', error);
    }
  }
}

function requireOwner(ownerId: string): string {
  const id = ownerId.trim();
  if (id === '') throw new ServiceError('TPS0007');
  return id;
}

function succeeded(result: CommandResult): void {
  if (!result.ok) throw new ServiceError(result.code);
}
