/** Whether a Node can run the sources. Any Node can read this file. */
'use strict';

/** One line for people, or null: a Node of this version can. */
exports.nodeProblem = (version) => {
  const [major, minor] = version.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 19)) return null;
  return (
    'Postern needs Node 22.19 or newer; this is v' +
    version +
    '. Run `npm ci`, then start it through `npm run`, which uses the Node 24 that `npm ci` installs.'
  );
};
