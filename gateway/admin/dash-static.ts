/** The one stylesheet and the one script: read at the start, the same for everybody, and asked for again by their digest. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';

type StaticFile = { readonly text: string; readonly type: string; readonly etag: string };

const files: ReadonlyMap<string, StaticFile> = new Map(
  [
    ['dash.css', 'text/css; charset=utf-8'] as const,
    ['dash.js', 'text/javascript; charset=utf-8'] as const,
  ].map(([name, type]) => {
    const text = readFileSync(new URL(name, import.meta.url), 'utf8');
    return [`/${name}`, { text, type, etag: `"${hash('sha256', text, 'hex').slice(0, 16)}"` }];
  }),
);

/** null: there is no such file. @param noneMatch If-None-Match (RFC 9110 §13.1.2). */
export function staticAnswer(path: string, noneMatch: string | null): Response | null {
  const file = files.get(path);
  if (file === undefined) return null;
  const headers = { ETag: file.etag, 'Cache-Control': 'no-cache' };
  const isKnown = noneMatch?.split(',').some((one) => one.trim().replace(/^W\//, '') === file.etag) === true;
  if (isKnown) return new Response(null, { status: 304, headers });
  return new Response(file.text, { headers: { ...headers, 'Content-Type': file.type } });
}
