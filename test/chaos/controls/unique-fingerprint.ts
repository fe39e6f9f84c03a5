import type { OwnedGrant } from '../../harness/system-of-record.ts';
import { presentedOnce } from '../checker/presented-once.ts';
import type { Control } from './control.ts';
import type { Stage } from './stage.ts';

export const uniqueFingerprint: Control = {
  guard: 'unique fingerprint',
  beside: [],
  temptation: 'a grant that an operator put into the rows of two owners',
  harm: 'is presented by both',
  caughtBy: presentedOnce,
  nodes: 1,
  tempt: async (stage) => {
    const copy = await grantOf(stage);
    await stage.makeDue();
    await stage.until('the token is refreshed', async () => (await stage.refreshes()) > 0);
    const copied = await stage.world.record.addOwner({ ownerId: 'an owner with a copied row', grants: [copy] });
    await stage.makeDue();
    await stage.until('the copied row has its turn', async () => (await stateOf(stage, copied)) !== 'idle');
    await stage.aftermath();
  },
};

async function grantOf({ world }: Stage): Promise<OwnedGrant> {
  const { record, population } = world;
  const [row] = await record.query<Omit<OwnedGrant, 'tokenUrl'>>(
    'SELECT tokenauth AS tokenAuth, accesstoken AS accessToken, refreshtoken AS refreshToken, tokenvalidity AS expiresInMs FROM tsttoken WHERE isvalid = 1');
  return { ...row!, tokenUrl: population.providers.strict.tokenUrl };
}

async function stateOf({ world }: Stage, did: number): Promise<string | undefined> {
  const [row] = await world.record.query<{ state: string }>('SELECT state FROM tsttoken WHERE tsxwhodid = ?', [did]);
  return row?.state;
}
