/** HAProxy: the tokens as they are in a map file, counted in a stick table. No hashing, no store, no scopes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, launch } from '../machine.ts';
import { plain, quota, type Target, together, windowSeconds } from './stage.ts';

export const haproxy: Target = {
  ...plain,
  name: 'HAProxy, map file + stick table',
  limit: 'local',
  needs: ['haproxy'],
  runs: 'native',
  async start(stage) {
    const port = await freePort();
    const path = join(stage.folder, 'haproxy.cfg');
    writeFileSync(
      path,
      `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend gate
  bind 127.0.0.1:${port}
  stick-table type string len 64 size 10k expire ${2 * windowSeconds}s store http_req_rate(${windowSeconds}s)
  http-request set-var(txn.subject) http_auth_bearer,map_str(${stage.callerFile})
  http-request deny deny_status 401 unless { var(txn.subject) -m found }
  http-request track-sc0 var(txn.subject)
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt ${quota} }
  http-request del-header authorization
  http-request set-header x-subject %[var(txn.subject)]
  default_backend app
backend app
  server app 127.0.0.1:${stage.upstreamPort}
`,
    );
    const args = ['-db', '-f', path];
    return together(port, [await launch({ command: 'haproxy', args, port, folder: stage.folder, core: 0 })]);
  },
};
