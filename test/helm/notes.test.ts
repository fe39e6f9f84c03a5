import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { chart, helm, runHelm, scenarios, valuesOf, withoutHelm } from './chart.ts';
import { kubernetesVersions } from './kubernetes/api-schemas.ts';

const folder = mkdtempSync(join(tmpdir(), 'tps-notes-'));
afterAll(() => { rmSync(folder, { recursive: true }); });

/** Helm shows NOTES.txt only where there is a cluster; so they are rendered as an object of a copy of the chart. */
beforeAll(() => {
  cpSync(chart, folder, { recursive: true });
  const notes = readFileSync(join(chart, 'templates/NOTES.txt'), 'utf8');
  writeFileSync(join(folder, 'templates/notes.yaml'), `{{- define "notes" -}}\n${notes}{{- end -}}\nnotes: {{ include "notes" . | toJson }}\n`);
});

async function notesOf(scenario: string, ...more: readonly string[]): Promise<string> {
  const { ok, stdout, stderr } = await runHelm('template', 'tokens', folder, '--namespace', 'oauth', '--kube-version', `${kubernetesVersions.at(-1) ?? ''}.0`, '-s', 'templates/notes.yaml', '-f', valuesOf(scenario), ...more);
  if (!ok) throw new Error(stderr);
  return (parse(stdout) as { notes: string }).notes;
}

describe.skipIf(helm === undefined)(`what is shown after an installation${withoutHelm}`, () => {
  test.each(scenarios)('says what to do next, and nothing that is empty, in the scenario %s', async (scenario) => {
    const notes = await notesOf(scenario);
    expect(notes).toMatch(/^token-pool-service 2\.\d+\.\d+ is installed as "tokens" in the namespace "oauth"\.\n/);
    expect(notes).toContain('helm test -n oauth tokens');
    expect(notes).not.toMatch(/<no value>|<nil>|%!|\n\n\n/);
  });

  const WARNINGS: [name: string, scenario: string, more: readonly string[], said: string][] = [
    ['tokens in the clear', 'default-minimal', [], 'TOKENS STAND IN THE DATABASE IN THE CLEAR'],
    ['stores that are for trying out', 'try-out', [], 'NOT FOR PRODUCTION: MySQL and Redis of this release are for trying out'],
    ['a single node', 'default-minimal', ['replicaCount=1'], 'There is one node'],
    ['a migration that is turned off', 'cluster', [], 'The migration is off'],
    ['a stop that is cut short', 'default-minimal', ['terminationGracePeriodSeconds=59'], 'terminationGracePeriodSeconds is 59, and an orderly stop may take 60 s'],
    ['a Prometheus that may be kept out', 'tls', [], 'Prometheus reaches the admin port only from this namespace'],
  ];

  test.each(WARNINGS)('warns of %s, and else not', async (_, scenario, more, said) => {
    expect(await notesOf(scenario, ...more.flatMap((one) => ['--set', one]))).toContain(said);
    expect(await notesOf('existing-secrets', '--set', 'terminationGracePeriodSeconds=60')).not.toContain(said);
  });
});
