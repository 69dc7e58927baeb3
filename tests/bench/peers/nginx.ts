/** nginx: as the upstream of all, alone as a proxy (the floor), and with auth_request, which is what people set up. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, type Launched, launch } from '../machine.ts';
import { plain, quota, type Stage, type Started, type Target, together, windowSeconds } from './stage.ts';

/** About 200 bytes, the same for every request. */
export const answer = JSON.stringify({
  id: 'item-0001',
  name: 'a thing to be had',
  tags: ['one', 'two', 'three'],
  text: 'words enough to be worth an answer, and not one more than that'.padEnd(104, '.'),
});

export const server = (port: number, rest: string, upstreams = '', modules = ''): string => `
${modules}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  ${upstreams}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ${rest}
  }
}`;

export const pool = (name: string, port: number): string =>
  `upstream ${name} { server 127.0.0.1:${port}; keepalive 128; keepalive_requests 1000000000; }`;

export const toApp = `proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass http://app;`;

export async function startNginx(
  { folder: base }: Pick<Stage, 'folder'>,
  port: number,
  core: 0 | 1,
  config: string,
): Promise<Launched> {
  const folder = join(base, `nginx-${port}`);
  mkdirSync(folder);
  const path = join(folder, 'nginx.conf');
  writeFileSync(path, config);
  return launch({ command: 'nginx', args: ['-p', folder, '-e', 'stderr', '-c', path], port, folder, core });
}

/** Answers at once; /seen says what it was told of the caller. */
export async function startUpstream(stage: Pick<Stage, 'folder' | 'upstreamPort'>): Promise<Started> {
  const port = stage.upstreamPort;
  const seen =
    '{"subject":"$http_x_subject","authorization":"$http_authorization","assertion":"$http_x_postern_assertion"}';
  const config = server(
    port,
    `location / { return 200 '${answer}'; }
    location = /seen { return 200 '${seen}'; }`,
  );
  return together(port, [await startNginx(stage, port, 1, config)]);
}

export const direct: Target = {
  ...plain,
  name: 'upstream, asked directly',
  limit: 'none',
  runs: 'native',
  guards: false,
  paced: true,
  start: async (stage) => ({ port: stage.upstreamPort, pids: [], stop: async () => {} }),
};

export const nginxPlain: Target = {
  ...plain,
  name: 'nginx, proxy alone (no tokens)',
  limit: 'none',
  needs: ['nginx'],
  runs: 'native',
  guards: false,
  paced: true,
  async start(stage) {
    const port = await freePort();
    const config = server(port, `location / { ${toApp} }`, pool('app', stage.upstreamPort));
    return together(port, [await startNginx(stage, port, 0, config)]);
  },
};

/** The service behind auth_request and forward_auth; each target has its own. */
export async function startAuthService(stage: Stage, counts: boolean): Promise<Launched & { port: number }> {
  const port = await freePort();
  const script = join(import.meta.dirname, 'auth-service.ts');
  const args = [script, port, stage.callerFile, quota, windowSeconds].map(String);
  if (counts && stage.redisUrl !== null) args.push(stage.redisUrl);
  const node = process.execPath;
  return { port, ...(await launch({ command: node, args, port, folder: stage.folder, core: 0 })) };
}

const authRequest = (name: string, limit: 'none' | 'redis'): Target => ({
  ...plain,
  name,
  limit,
  needs: limit === 'redis' ? ['nginx', 'redis-server'] : ['nginx'],
  paced: true,
  async start(stage) {
    const auth = await startAuthService(stage, limit === 'redis');
    const port = await freePort();
    const rest = `location / {
      auth_request /auth;
      auth_request_set $subject $upstream_http_x_subject;
      proxy_set_header X-Subject $subject;
      proxy_set_header Authorization "";
      ${toApp}
    }
    location = /auth {
      internal;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      ${toApp.replace('//app', '//auth')}
    }`;
    const pools = `${pool('app', stage.upstreamPort)} ${pool('auth', auth.port)}`;
    return together(port, [auth, await startNginx(stage, port, 0, server(port, rest, pools))]);
  },
});

export const nginxAuth = authRequest('nginx + auth_request → Node', 'none');
export const nginxAuthRedis = authRequest('nginx + auth_request → Node, Redis', 'redis');
