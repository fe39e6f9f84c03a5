import { ServiceError } from '../domain/errors.ts';

/** Characters, the width of `tsxwho.ownerid`. */
export const maxOwnerIdLength = 200;

/** @throws ServiceError TPS0007 where nothing but spaces is left, TP0003 where it is too long to be an owner's */
export function ownerIdFrom(segment: string | undefined): string {
  const ownerId = (segment ?? '').trim();
  if (ownerId === '') throw new ServiceError('TPS0007');
  if (charactersOf(ownerId) > maxOwnerIdLength) throw new ServiceError('TP0003');
  return ownerId;
}

/** @throws ServiceError TP0003 where it is empty */
export function tokenIdFrom(segment: string | undefined): string {
  const tokenId = (segment ?? '').trim();
  if (tokenId === '') throw new ServiceError('TP0003');
  return tokenId;
}

/** As the database counts them: those beyond the Basic Multilingual Plane are one, too. */
function charactersOf(text: string): number {
  return text.length - (text.match(/[\uD800-\uDBFF][\uDC00-\uDFFF]/g)?.length ?? 0);
}
