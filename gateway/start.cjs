#!/usr/bin/env node
/** The way in: says in one line that Node is too old, or starts the command line. Any Node can read it. */
'use strict';

const problem = require('./node-version.cjs').nodeProblem(process.versions.node);

if (problem !== null) {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 1;
} else {
  import('./admin/cli.ts').then((cli) => cli.main());
}
