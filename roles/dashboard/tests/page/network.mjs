// A network of real daemons on this machine, for tests of the page and for its pictures.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The program; the modules are beside it. */
export const program = process.env.KOZO_PROGRAM ?? 'target/debug/kozo';

/** How long a daemon may take for anything, in milliseconds. Machines that test are busy, and some more so. */
const PATIENCE = Number(process.env.KOZO_TEST_PATIENCE ?? 60) * 1000;

/** Ports that nobody listens on, all different. */
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise((resolve, reject) => {
      const server = createServer();
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => resolve(server));
    })),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Waits until something is so, and gives what it is. */
export async function until(what, look) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`it did not come about in time that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * A network. `nodes` has for each name `roles` (each a map of options) and `options` of the node. The first node gets the
 * page, with further options; `null` leaves it out.
 */
export class Network {
  static async make(nodes, { dashboard = {}, options = {} } = {}) {
    const network = new Network();
    network.folder = mkdtempSync(join(tmpdir(), 'kozo-page-'));
    network.daemons = new Map();
    network.names = Object.keys(nodes);
    const ports = await freePorts(network.names.length + 1);
    network.port = ports.pop();
    const system = {};
    network.names.forEach((name, index) => {
      const key = join(network.folder, `${name}.key`);
      const printed = execFileSync(program, ['keygen', key, '--comment', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      const { roles = {}, options: own = {}, address = '127.0.0.1' } = nodes[name];
      system[name] = {
        privateKey: key,
        publicKey: printed.split('publicKey: ')[1].trim(),
        roleStorage: network.folder,
        roles: { ...roles },
        transports: { tcp: { address, bindAddress: address, port: ports[index] } },
        ...own,
      };
    });
    if (dashboard) system[network.names[0]].roles.dashboard = {
      port: network.port,
      grant: ['status', 'messages', 'control'],
      ...dashboard,
    };
    // YAML takes JSON.
    const config = { heartbeat: 2, connectionRetry: 1, ...options, system };
    network.config = join(network.folder, 'network.yaml');
    writeFileSync(network.config, JSON.stringify(config, null, 1));
    return network;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  /** Starts these nodes, or all. */
  start(names = this.names) {
    for (const name of names) {
      const control = join(this.folder, `${name}.sock`);
      const args = ['run', this.config, name, '--control', control, '--log', process.env.KOZO_TEST_LOG ?? 'warn'];
      const daemon = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      daemon.said = '';
      daemon.stderr.on('data', (text) => { daemon.said = (daemon.said + text).slice(-20_000); });
      daemon.ended = new Promise((resolve) => daemon.on('exit', resolve));
      this.daemons.set(name, daemon);
    }
  }

  /** Waits until the page is served. */
  async served() {
    await until('the page is served', async () => {
      const daemon = this.daemons.get(this.names[0]);
      if (daemon.exitCode !== null) throw new Error(`the node ended: ${daemon.said}`);
      return fetch(this.url).then((response) => response.ok, () => false);
    });
  }

  /** Has a node send a message. */
  send(node, ...args) {
    execFileSync(program, ['send', '--control', join(this.folder, `${node}.sock`), ...args], { encoding: 'utf8' });
  }

  async stop(name) {
    const daemon = this.daemons.get(name);
    this.daemons.delete(name);
    if (!daemon) return;
    daemon.kill('SIGTERM');
    await daemon.ended;
  }

  /** Ends everything, and tells what the daemons have said. */
  async end() {
    const said = [...this.daemons].map(([name, daemon]) => `${name}: ${daemon.said}`);
    await Promise.all([...this.daemons.keys()].map((name) => this.stop(name)));
    rmSync(this.folder, { recursive: true, force: true });
    return said.join('\n');
  }
}
