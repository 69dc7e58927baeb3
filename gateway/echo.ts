/** The demo's upstream: tells back what reached it. Nothing of the gate itself depends on it. */
import { createServer, type Server } from 'node:http';

export function createEcho(): Server {
  return createServer((req, res) => {
    let bytes = 0;
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    req.on('end', () => {
      const body = { method: req.method, path: req.url, headers: req.headers, body_bytes: bytes };
      res.writeHead(200, { 'Content-Type': 'application/json' });
      res.end(`${JSON.stringify(body, null, 2)}\n`);
    });
  });
}
