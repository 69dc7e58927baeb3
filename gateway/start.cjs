#!/usr/bin/env node
/** The way in: says in one line that Node is too old, or starts the command line. Any Node can read it. */
'use strict';

const problem = require('./node-version.cjs').nodeProblem(process.versions.node);

if (problem !== null) {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 1;
} else {
  // Before anything that could fill the heap.
  if (process.argv[2] === 'serve') require('./warm.cjs');
  import('./admin/cli.ts').then((cli) => cli.main());
}
