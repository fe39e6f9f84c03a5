import { startTcpProxy, type TcpProxy } from '../../harness/tcp-proxy.ts';

/** A node's ways to the stores, each of which can be broken. */
export interface NodeNetwork {
  readonly mysql: TcpProxy;
  /** Undefined where clients find their servers by themselves (Sentinel, Cluster). */
  readonly redis: TcpProxy | undefined;
}

export async function networkTo(mysqlPort: number, redisPort: number | undefined): Promise<NodeNetwork> {
  const [mysql, redis] = await Promise.all([startTcpProxy(mysqlPort), redisPort === undefined ? undefined : startTcpProxy(redisPort)]);
  return { mysql, redis };
}
