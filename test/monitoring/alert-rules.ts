import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'yaml';

export const root = join(import.meta.dirname, '../..');
export const rulesFile = join(root, 'deploy/prometheus/rules.yml');
export const casesFolder = join(import.meta.dirname, 'cases');

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string };
}

interface RulesFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[];
}

export interface ExpectedAlert {
  readonly exp_labels?: Readonly<Record<string, string>>;
  readonly exp_annotations?: Readonly<Record<string, string>>;
}

export interface AlertCase {
  readonly alertname: string;
  readonly exp_alerts: readonly ExpectedAlert[];
}

/** The rules as they are delivered, in their order. */
export const alerts: readonly Alert[] = (parse(readFileSync(rulesFile, 'utf8')) as RulesFile).groups.flatMap(({ rules }) => rules);

export const caseFiles: readonly string[] = readdirSync(casesFolder).filter((name) => name.endsWith('.yml')).sort();

/** What the cases of promtool say of alerts. */
export const alertCases: readonly AlertCase[] = caseFiles.flatMap((name) => {
  const { tests } = parse(readFileSync(join(casesFolder, name), 'utf8')) as { tests: readonly { alert_rule_test?: readonly AlertCase[] }[] };
  return tests.flatMap((test) => test.alert_rule_test ?? []);
});

export function readDocument(name: string): string {
  return readFileSync(join(root, 'docs', name), 'utf8');
}
