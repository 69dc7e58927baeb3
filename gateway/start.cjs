#!/usr/bin/env node
/** The way in: says in one line that Node is too old, or starts the command line. Any Node can read it. */
'use strict';

const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(
    'Postern needs Node 22.19 or newer; this is v' +
      process.versions.node +
      '. Run `npm ci`, then start it through `npm run`, which uses the Node 24 that `npm ci` installs.\n',
  );
  process.exitCode = 1;
} else {
  import('./admin/cli.ts').then((cli) => cli.main());
}
