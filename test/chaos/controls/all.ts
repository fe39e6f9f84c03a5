import { claimCompareAndSet } from './claim-compare-and-set.ts';
import type { Control } from './control.ts';
import { epochLock } from './epoch-lock.ts';
import { inDoubtRule } from './in-doubt-rule.ts';
import { journal } from './journal.ts';
import { uniqueFingerprint } from './unique-fingerprint.ts';
import { uniqueParent } from './unique-parent.ts';
import { versionCheck } from './version-check.ts';

export const controls: readonly Control[] = [claimCompareAndSet, uniqueFingerprint, uniqueParent, versionCheck, epochLock, journal, inDoubtRule];
