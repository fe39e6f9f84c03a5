import type { ClusterStores } from '../harness/cluster.ts';
import type { OidcServer } from '../harness/oidc/oidc-server.ts';
import type { IssuedGrant } from '../harness/provider/judgement.ts';

const names = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark'];

export interface DemoOwners {
  readonly names: readonly string[];
  /** Those with one grant: a caller of theirs sees each refresh. */
  readonly withOneGrant: readonly string[];
  readonly grants: readonly IssuedGrant[];
}

/** Clients the OAuth2 server needs: an owner's grants are its slots because each is another client's. */
export const clientsNeeded = 2;

/** Owners as an operator inserts them: every second one has two grants. */
export async function addOwners(stores: ClusterStores, oidc: OidcServer, number: number): Promise<DemoOwners> {
  const owners = Array.from({ length: number }, (_, index) => names[index] ?? `owner-${index + 1}`);
  const all: IssuedGrant[] = [];
  for (const [index, ownerId] of owners.entries()) {
    const grants = await Promise.all(Array.from({ length: 1 + (index % 2) }, (_, client) => oidc.createGrant(client, ownerId)));
    await stores.addOwner({ ownerId, grants });
    all.push(...grants);
  }
  return { names: owners, withOneGrant: owners.filter((_, index) => index % 2 === 0), grants: all };
}
