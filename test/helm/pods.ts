import type { Rendered } from './chart.ts';

/** What the tests look at in a pod; Kubernetes knows more. */
export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly shareProcessNamespace?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: { readonly runAsNonRoot?: boolean; readonly runAsUser?: number; readonly seccompProfile?: { readonly type: string } };
  readonly topologySpreadConstraints?: readonly { readonly topologyKey: string; readonly labelSelector: { readonly matchLabels: Record<string, string> } }[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext?: Record<string, unknown>;
  readonly resources: { readonly requests: Record<string, string>; readonly limits: Record<string, string> };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string; readonly scheme: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}

interface Items { readonly items?: readonly { readonly key: string; readonly path: string }[] }

export interface Volume {
  readonly name: string;
  readonly configMap?: Items & { readonly name: string };
  readonly secret?: Items & { readonly secretName: string };
  readonly projected?: { readonly sources: readonly { readonly configMap?: Items & { readonly name: string }; readonly secret?: Items & { readonly name: string } }[] };
}

interface Workload {
  readonly template: { readonly metadata: { readonly labels: Record<string, string>; readonly annotations?: Record<string, string> }; readonly spec: PodSpec };
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
}

export interface Pod {
  readonly owner: Rendered;
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly spec: PodSpec;
  /** Names of volumes that come from claims. */
  readonly claims: readonly string[];
}

/** The pods that the objects ask for, each with the object that asks. */
export function podsOf(objects: readonly Rendered[]): Pod[] {
  return objects.flatMap((owner): Pod[] => {
    if (owner.kind === 'Pod') return [{ owner, labels: owner.metadata.labels ?? {}, annotations: {}, spec: owner.spec as PodSpec, claims: [] }];
    if (!['Deployment', 'StatefulSet', 'Job'].includes(owner.kind)) return [];
    const { template, volumeClaimTemplates = [] } = owner.spec as Workload;
    return [{ owner, labels: template.metadata.labels, annotations: template.metadata.annotations ?? {}, spec: template.spec, claims: volumeClaimTemplates.map(({ metadata }) => metadata.name) }];
  });
}

/** The pod of a node of the service. */
export function nodePod(objects: readonly Rendered[]): Pod {
  const found = podsOf(objects).filter(({ owner, labels }) => owner.kind !== 'Pod' && labels['app.kubernetes.io/component'] === 'node');
  if (found.length !== 1) throw new Error(`${found.length} pods of nodes`);
  return found[0]!;
}

/** What a volume takes from Secrets and ConfigMaps: of each, its name, key and the file it becomes. */
export function filesIn(volume: Volume): { readonly kind: 'Secret' | 'ConfigMap'; readonly name: string; readonly key: string; readonly path: string }[] {
  const sources = [
    ...(volume.configMap ? [{ configMap: volume.configMap, secret: undefined }] : []),
    ...(volume.secret ? [{ configMap: undefined, secret: { ...volume.secret, name: volume.secret.secretName } }] : []),
    ...(volume.projected?.sources ?? []),
  ];
  return sources.flatMap(({ configMap, secret }) => {
    const [kind, source] = configMap ? ['ConfigMap', configMap] as const : ['Secret', secret] as const;
    return (source?.items ?? []).map(({ key, path }) => ({ kind, name: source!.name, key, path }));
  });
}
