import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { freePort } from './ports.ts';

/** As much of `config.yml` as a test must know to find the node. */
export interface NodeConfiguration {
  readonly server?: { readonly applicationConnectors?: readonly Connector[]; readonly adminConnectors?: readonly Connector[] };
  readonly [key: string]: unknown;
}

interface Connector {
  readonly type?: string;
  readonly port?: number;
  readonly [key: string]: unknown;
}

/** Where a node's configuration lies, and where the node will listen by it. */
export interface PlacedConfiguration {
  readonly file: string;
  /** Ours, to be removed with the node; null when the file is somebody's own. */
  readonly folder: string | null;
  readonly appUrl: string;
  readonly adminUrl: string;
}

export async function existingConfiguration(file: string): Promise<PlacedConfiguration> {
  const config = parse(await readFile(file, 'utf8')) as NodeConfiguration;
  return { file, folder: null, appUrl: urlOf(config.server?.applicationConnectors?.[0], 8181), adminUrl: urlOf(config.server?.adminConnectors?.[0], 8282) };
}

/** The configuration with a free port wherever it names none. A node that is stopped waits for no balancer, unless it is told to. */
export async function withPorts(config: NodeConfiguration): Promise<NodeConfiguration> {
  const place = async (connectors: readonly Connector[] | undefined): Promise<Connector[]> => {
    const [first = {}, ...rest] = connectors ?? [];
    return [{ type: 'http', bindHost: '127.0.0.1', ...first, port: first.port || (await freePort()) }, ...rest];
  };
  const { applicationConnectors, adminConnectors, ...server } = config.server ?? {};
  return { ...config, http: { shutdownDelay: 0, ...(config['http'] as object | undefined) }, server: { ...server, applicationConnectors: await place(applicationConnectors), adminConnectors: await place(adminConnectors) } };
}

/** Writes the configuration as JSON, which is YAML, readable by nobody else: it can hold passwords. */
export async function writeConfiguration(config: NodeConfiguration): Promise<PlacedConfiguration> {
  const folder = await mkdtemp(join(tmpdir(), 'token-pool-node-'));
  const file = join(folder, 'config.yml');
  await writeFile(file, JSON.stringify(config, null, 2), { mode: 0o600 });
  return { ...(await existingConfiguration(file)), folder };
}

function urlOf(connector: Connector | undefined, defaultPort: number): string {
  return `${connector?.type ?? 'http'}://127.0.0.1:${connector?.port ?? defaultPort}`;
}
