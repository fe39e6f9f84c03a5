import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from './alert-rules.ts';

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string; readonly legendFormat: string; readonly datasource: { readonly uid: string } }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string; readonly thresholds?: { readonly steps: readonly unknown[] } } };
}

export interface Dashboard {
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[] };
  readonly annotations: { readonly list: readonly { readonly name: string; readonly expr?: string }[] };
}

export interface DashboardQuery {
  /** Where it stands, for messages. */
  readonly title: string;
  readonly expr: string;
}

export const dashboardFile = join(root, 'deploy/grafana/dashboard.json');
export const dashboard = JSON.parse(readFileSync(dashboardFile, 'utf8')) as Dashboard;

/** Panels that show something, without the headings. */
export const shownPanels: readonly Panel[] = dashboard.panels.filter(({ type }) => type !== 'row');

/** Every query of panels and annotations. */
export const dashboardQueries: readonly DashboardQuery[] = [
  ...shownPanels.flatMap(({ title, targets = [] }) => targets.map(({ refId, expr }) => ({ title: `${title} ${refId}`, expr }))),
  ...dashboard.annotations.list.flatMap(({ name, expr }) => (expr === undefined ? [] : [{ title: `annotation ${name}`, expr }])),
];

/** A query as Grafana sends it, for the job given; the other variables stand for all there are. */
export function asSent(expr: string, job: string, rateInterval: string): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll('$namespace', '.*').replaceAll('$owner', '.*').replaceAll('$job', job);
}
