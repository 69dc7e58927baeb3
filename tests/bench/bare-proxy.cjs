/** The measure of the budget: the least a Node proxy does, with nothing but Node. `node bare-proxy.cjs PORT` prints its own. */
'use strict';

const { Agent, createServer, request } = require('node:http');

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const server = createServer((req, res) => {
  const { method, url: path, headers } = req;
  const onward = request(
    { agent, host: '127.0.0.1', port: process.argv[2], method, path, headers },
    (answer) => {
      res.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(res);
    },
  );
  onward.on('error', () => res.destroy());
  req.pipe(onward);
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
