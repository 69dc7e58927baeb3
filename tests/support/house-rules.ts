/** The rules of the house as questions to its source. Each answers with every violation, as `path:line what`. */
import type { Import, SourceFile } from './source.ts';

export type Room = 'policy' | 'store' | 'gateway' | 'admin';

export function roomOf(path: string): Room | null {
  if (path.startsWith('gateway/admin/')) return 'admin';
  const top = path.split('/')[0];
  return top === 'policy' || top === 'store' || top === 'gateway' ? top : null;
}

/** npm packages that belong to one room; gateway has every other dependency, but none of the store's. */
const policyPackages = ['valibot'];
const storePackages = ['kysely', 'better-sqlite3', 'pg', 'ioredis', 'piscina', 'bcryptjs', 'lru-cache'];

/** Modules of the store that open nothing: its interfaces, its faults, what a token's text shows, the arithmetic of limits. */
const storeInterfaces = [
  'token-store',
  'pin-store',
  'limiter',
  'fault',
  'refused',
  'once',
  'id',
  'token-format',
  'sliding-window',
].map((name) => `store/${name}.ts`);
/** The only files that open concrete stores, and the only ones of the gateway that know its operators' doors. */
const openers =
  /^gateway\/(?:main|demo|open-store|open-admin)\.ts$|^gateway\/admin\/(?:cli|operations)[a-z-]*\.ts$/;
/** What decides about requests or carries them, and is none of the operators' business. */
const adminNever = ['walk', 'forward', 'exchange', 'server'].map((name) => `gateway/${name}.ts`);
const adminMay =
  /^gateway\/(?:config\/[a-z-]+|open-store|credential|refusals|explain|rehearsal|fixtures)\.ts$/;
const adminLazily = ['gateway/process.ts', 'gateway/demo.ts'];
const speaksMcp = '@modelcontextprotocol/sdk';
const mcpServer = 'gateway/admin/mcp-server.ts';
const traceExport = 'gateway/trace-export.ts';

/** Who may import whom, and how. `packages`: the dependencies that package.json declares. */
export function importViolations(
  files: readonly SourceFile[],
  packages: readonly string[],
): readonly string[] {
  return files.flatMap((file) =>
    file.imports.flatMap((one) => {
      const wrong = wrongImport(file, one, packages);
      return wrong === null ? [] : [`${file.path}:${one.line} ${wrong}`];
    }),
  );
}

function wrongImport(file: SourceFile, one: Import, packages: readonly string[]): string | null {
  const from = roomOf(file.path);
  const to = roomOf(one.from);
  if (to === null) return wrongPackage(file.path, from, one, packages);
  switch (from) {
    case 'policy':
      return to === 'policy' ? null : `policy imports ${one.from}`;
    case 'store':
      if (to === 'store') return null;
      if (to === 'policy') return one.kind === 'type' ? null : `store runs ${one.from}`;
      return `store imports ${one.from}`;
    case 'gateway':
      if (one.from === traceExport && one.kind === 'static')
        return `${from} imports ${one.from} before it is asked to`;
      if (to === 'store') return wrongStore(file, one);
      return to === 'admin' && !openers.test(file.path) ? `gateway imports ${one.from}` : null;
    case 'admin':
      if (one.from === mcpServer && one.kind === 'static')
        return `${from} imports ${one.from} before it is asked to`;
      if (to === 'store') return wrongStore(file, one);
      return to === 'gateway' ? wrongAdmin(one) : null;
    case null:
      return null;
  }
}

/** Large, and of no use to any other command. */
function wrongSpeaker(path: string, one: Import): string | null {
  return path === mcpServer ? null : `${path} imports ${one.from} before it is asked to`;
}

function wrongPackage(
  path: string,
  from: Room | null,
  one: Import,
  packages: readonly string[],
): string | null {
  if (/^(?:\.\.?\/|[a-z]+\/.*\.ts$)/.test(one.from)) return `${from} imports ${one.from}`;
  if (one.from.startsWith('node:')) return from === 'policy' ? `policy imports ${one.from}` : null;
  const [first = '', second = ''] = one.from.split('/');
  const name = first.startsWith('@') ? `${first}/${second}` : first;
  if (!packages.includes(name)) return `${name} is no dependency`;
  if (from === 'policy' && !policyPackages.includes(name)) return `policy imports ${name}`;
  if (from === 'store' && !storePackages.includes(name)) return `store imports ${name}`;
  if (name === speaksMcp && (from !== 'admin' || one.kind === 'static')) return wrongSpeaker(path, one);
  if (name.startsWith('@opentelemetry/') && path !== traceExport) {
    return `${path} imports ${one.from} before it is asked to`;
  }
  const isOurs = from === 'gateway' || from === 'admin';
  return isOurs && storePackages.includes(name) ? `${from} imports ${name}, the store's` : null;
}

/** Types may come from anywhere in the store; what runs, only from its interfaces. */
function wrongStore(file: SourceFile, one: Import): string | null {
  if (one.kind === 'type' || storeInterfaces.includes(one.from) || openers.test(file.path)) return null;
  return `${one.from} is a concrete store`;
}

function wrongAdmin(one: Import): string | null {
  if (adminNever.includes(one.from)) return `admin imports ${one.from}`;
  if (one.kind === 'type' || adminMay.test(one.from)) return null;
  if (adminLazily.includes(one.from)) {
    return one.kind === 'lazy' ? null : `admin imports ${one.from} before it is asked to`;
  }
  return `admin runs ${one.from}`;
}

/** Rings of files that need each other to start. Lazy imports and types start nothing. */
export function cycles(files: readonly SourceFile[]): readonly string[] {
  const targets = new Map(
    files.map((file) => [file.path, file.imports.filter(({ kind }) => kind === 'static')]),
  );
  const done = new Set<string>();
  const found: string[] = [];
  const follow = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at !== -1) found.push([...trail.slice(at), path].join(' → '));
    if (at !== -1 || done.has(path)) return;
    for (const { from } of targets.get(path) ?? []) follow(from, [...trail, path]);
    done.add(path);
  };
  for (const file of files) follow(file.path, []);
  return found;
}

/** Files that only pass on others', and exports without a name. */
export function shapeViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, isBarrel, defaultExportLine }) => [
    ...(isBarrel ? [`${path}:1 is a barrel`] : []),
    ...(defaultExportLine === null ? [] : [`${path}:${defaultExportLine} is a default export`]),
  ]);
}

const clockAndWorld =
  /^(?:await|Date\.now|new Date\(\)|Math\.random|process|fetch|Response|Request|Headers|Promise|performance|set(?:Timeout|Interval|Immediate)|queueMicrotask|Buffer|console|crypto|globalThis|require|STATUS_CODES)$/;
const http =
  /^(?:Response|Request|Headers|IncomingMessage|ServerResponse|STATUS_CODES|scopes\.includes|40[1-9]|41[0-7]|42[0-9]|431|50[1-4])$/;
const sqlAndRedis = /^(?:new (?:Kysely|Redis|Database|Cluster)(?:\(\))?|sql``)$/;
/** The only files outside the store that may hold a connection of their own. */
const mayConnect = /^gateway\/(?:(?:main|demo)\.ts$|admin\/)/;

function forbiddenIn(path: string): RegExp | null {
  switch (roomOf(path)) {
    case 'policy':
      return clockAndWorld;
    case 'store':
      return http;
    default:
      return mayConnect.test(path) ? null : sqlAndRedis;
  }
}

/** Words that show a room doing another's work. */
export function wordViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, words }) => {
    const forbidden = forbiddenIn(path);
    if (forbidden === null) return [];
    return words
      .filter(({ word }) => forbidden.test(word))
      .map(({ word, line }) => `${path}:${line} has ${word}`);
  });
}

const fileLinesMax = 350;
const functionLinesMax = 70;

export function tooLongFiles(
  files: readonly { readonly path: string; readonly lineCount: number }[],
): readonly string[] {
  return files
    .filter(({ lineCount }) => lineCount > fileLinesMax)
    .map(({ path, lineCount }) => `${path} has ${lineCount} lines`);
}

export function tooLongFunctions(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, functions }) =>
    functions
      .filter(({ lineCount }) => lineCount > functionLinesMax)
      .map(({ line, lineCount }) => `${path}:${line} is a function of ${lineCount} lines`),
  );
}

/** Products whose needs Postern serves; naming one in the code would mean it was written for one. */
const customers = /pionne|debug-?bundle|dbundle|piora/i;

export function customerNames(files: readonly { readonly path: string; readonly text: string }[]) {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const name = customers.exec(line)?.[0];
      return name === undefined ? [] : [`${path}:${index + 1} names ${name}`];
    }),
  );
}
