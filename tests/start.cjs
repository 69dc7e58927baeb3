/** The way into the tests, as gateway/start.cjs is into the gateway: any Node can read it. */
'use strict';

const problem = require('../gateway/node-version.cjs').nodeProblem(process.versions.node);

if (problem !== null) {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 1;
} else {
  import('./run.ts');
}
