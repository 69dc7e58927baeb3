/** Caddy with forward_auth, asking the same service as nginx does. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, launch } from '../machine.ts';
import { startAuthService } from './nginx.ts';
import { plain, type Target, together } from './stage.ts';

export const caddy: Target = {
  ...plain,
  name: 'Caddy forward_auth → Node',
  limit: 'none',
  needs: ['caddy'],
  async start(stage) {
    const auth = await startAuthService(stage, false);
    const port = await freePort();
    const path = join(stage.folder, 'Caddyfile');
    writeFileSync(
      path,
      `{
  admin off
  auto_https off
}
http://:${port} {
  bind 127.0.0.1
  forward_auth 127.0.0.1:${auth.port} {
    uri /auth
    copy_headers X-Subject
  }
  reverse_proxy 127.0.0.1:${stage.upstreamPort} {
    header_up -Authorization
  }
}
`,
    );
    const args = ['run', '--config', path, '--adapter', 'caddyfile'];
    const env = { XDG_DATA_HOME: stage.folder, XDG_CONFIG_HOME: stage.folder };
    return together(port, [
      auth,
      await launch({ command: 'caddy', args, env, port, folder: stage.folder, core: 0 }),
    ]);
  },
};
