/** The command line, beside the store or by the admin API: the same words. */
import { run } from '../../../gateway/admin/cli.ts';
import type { Told } from '../terminal.ts';
import {
  type Face,
  factsOf,
  type Json,
  listedOf,
  type Made,
  madeOf,
  type NewToken,
  no,
  type Ops,
  rowOf,
  usedOf,
} from './face.ts';

/** @param tell runs a command line, without where it works. */
export function cliFace(
  name: string,
  actor: RegExp,
  tell: (words: readonly string[]) => Promise<Told>,
): Face {
  const used = new Set<string>();
  const ask = async (...words: readonly string[]): Promise<Json> => {
    if (words.includes('--dry-run')) used.add(words.slice(0, 2).join(' '));
    const { code, stdout, stderr } = await tell([...words, '--json']);
    if (code === 0) return JSON.parse(stdout);
    if (!/^error: [^\n]+; [^\n]+\n$/.test(stderr)) throw new Error(`not one line with a remedy: ${stderr}`);
    return no(stderr);
  };
  const told =
    <T>(read: (json: Json) => T) =>
    async (...words: readonly string[]) => {
      const json = await ask(...words);
      return 'no' in json ? json : read(json);
    };
  const [made, facts] = [told<Made>(madeOf), told(factsOf)];
  const ops: Ops = {
    create: (token) => made('token', 'create', ...wordsOf(token)),
    // Not there: see the table.
    tryCreate: async () => Promise.reject(new Error('it has none')),
    show: ({ id }) => facts('token', 'show', id),
    list: async (of) => (await ask('token', 'list', ...ofWords(of))).tokens.map(listedOf),
    pages: async (of, limit) => {
      const pages: string[][] = [];
      for (let after: string | null = ''; after !== null; ) {
        const more = after === '' ? [] : ['--after', after];
        const page = await ask('token', 'list', ...ofWords(of), '--limit', String(limit), ...more);
        pages.push(page.tokens.map(({ id }: Json) => id));
        after = page.next;
      }
      return pages;
    },
    rotate: ({ id }, overlap) => made('token', 'rotate', id, '--overlap', overlap),
    rotateWhenQuiet: ({ id }, overlap) =>
      made('token', 'rotate', id, '--overlap', overlap, '--retire-when-quiet'),
    regenerate: ({ type, attributes }) =>
      made('token', 'regenerate', '--type', type, ...attributeWords(attributes)),
    update: ({ id }, { label, scopes = [], origins, expires }) =>
      facts(
        ...['token', 'update', id],
        ...(label === undefined ? [] : ['--label', label]),
        ...scopes.flatMap((scope) => ['--scope', scope]),
        ...(origins?.length === 0 ? ['--no-origins'] : (origins ?? []).flatMap((one) => ['--origin', one])),
        ...(expires === null ? ['--no-expiry'] : expires === undefined ? [] : ['--expires-in', expires]),
      ),
    disable: ({ id }) => facts('token', 'disable', id),
    enable: ({ id }) => facts('token', 'enable', id),
    revoke: ({ id }, reason) => facts('token', 'revoke', id, '--reason', reason),
    setPin: (subject, value) =>
      told(({ value, before }) => ({ value, before }))('pin', 'set', 'app', subject, value),
    showPin: (subject) => told(({ value }) => ({ value }))('pin', 'show', 'app', subject),
    resetPin: (subject, reason) =>
      told(({ value, before }) => ({ value, before }))('pin', 'reset', 'app', subject, '--reason', reason),
    activate: (subject, pattern) =>
      told(({ activation_id: id, trigger_token: secret }) => ({ id, secret }))(
        ...['probe', 'activate', '--for', subject, '--label-pattern', pattern, '--ttl-seconds', '600'],
      ),
    probes: async (subject) =>
      (await ask('probe', 'list', '--for', subject)).activations.map((one: Json) => one.label_pattern),
    deactivate: (subject, id) =>
      told((one) => ({ off: one.deactivated_at !== null }))('probe', 'deactivate', '--for', subject, id),
    usage: ({ id }) => told(usedOf)('usage', id, '--by', 'route', '--since', '7d'),
    alerts: async () => (await ask('alerts', '--limit', '1000')).alerts.map(alertOf),
    acknowledge: (id) => told(({ acknowledged_at: at }) => ({ open: at === null }))('alerts', 'ack', id),
    audit: async (subject) => (await ask('audit', 'list', '--subject', subject)).entries.map(rowOf),
    tryPurge: async (what) => (await ask(what === 'tokens' ? 'token' : 'audit', 'purge', '--dry-run')).purged,
    verify: async () => (await ask('audit', 'verify')).ok,
    matrix: () => ask('matrix'),
    explain: (method, path, as) => ask('explain', method, path, '--as', as),
  };
  const { tryCreate: _, ...offered } = ops;
  return { name, actor, ops: offered, offers: dryRuns, used };
}

/** The commands that have a dry run. */
async function dryRuns(): Promise<readonly string[]> {
  const changes = ['create', 'rotate', 'regenerate', 'update', 'disable', 'enable', 'revoke', 'purge'];
  const all = [
    ...changes.map((verb) => ['token', verb]),
    ['audit', 'purge'],
    ['pin', 'set'],
    ['pin', 'reset'],
  ];
  const found: string[] = [];
  for (const words of all) {
    let help = '';
    const out = (text: string) => {
      help += text;
    };
    await run([...words, '--help'], { env: {}, out, err: out, colours: false, now: Date.now });
    if (help.includes('--dry-run')) found.push(words.join(' '));
  }
  return found;
}

export function alertOf({ id, subject, acknowledged_at: at }: Json) {
  return { id, subject, open: at === null };
}

function ofWords({ type, attribute }: { readonly type: string; readonly attribute: string }) {
  return ['--type', type, '--attribute', attribute];
}

function wordsOf(token: NewToken): readonly string[] {
  const { type, label, scopes = [], attributes = {}, origins = [], expires } = token;
  return [
    ...['--type', type, '--label', label],
    ...scopes.flatMap((scope) => ['--scope', scope]),
    ...attributeWords(attributes),
    ...origins.flatMap((origin) => ['--origin', origin]),
    ...(expires === undefined ? [] : ['--expires-in', expires]),
  ];
}

function attributeWords(attributes: NonNullable<NewToken['attributes']>): readonly string[] {
  return Object.entries(attributes).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => ['--attribute', `${name}=${one}`]),
  );
}
