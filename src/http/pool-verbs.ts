/**
 * What the pool does for callers. Ids arrive trimmed and not empty, and each verb counts its own reads.
 * The signal is aborted when the caller is gone; it ends the wait, never a refresh that is under way.
 */
export interface PoolVerbs {
  /** The token as this node knows it; undefined where only {@link acquire} can tell. */
  peek(ownerId: string): string | undefined;
  /** @throws ServiceError, StoreUnavailable */
  acquire(ownerId: string, signal: AbortSignal): Promise<string>;
  /** @throws ServiceError, StoreUnavailable */
  restart(ownerId: string, signal: AbortSignal): Promise<void>;
  /**
   * @param tokenId the access token now in the pool, or the number of its row
   * @returns the new access token @throws ServiceError, StoreUnavailable
   */
  refresh(ownerId: string, tokenId: string, signal: AbortSignal): Promise<string>;
}
