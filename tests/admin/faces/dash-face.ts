/** The dashboard, by its forms and pages alone: what a browser without script would send, and what a person would read. */
import { type DashFixture, hiddenOf } from '../../fixtures/dash.ts';
import {
  type Face,
  type Facts,
  hoursTo,
  type Json,
  type Made,
  type NewToken,
  no,
  type Ops,
  type Quiet,
} from './face.ts';

type Page = { readonly status: number; readonly text: string; readonly location: string | null };

export function dashFace({ dash }: Pick<DashFixture, 'dash'>, cookie: string): Face {
  const used = new Set<string>();
  const get = (path: string): Promise<Page> => {
    used.add(path.replace(/\?.*/, '').replace(/tok_[0-9A-Z]+/, '{id}'));
    return dash(`GET ${path}`, { cookie });
  };
  /** Fills in the form that this page shows. */
  const send = async (path: string, fields: Readonly<Record<string, string>>, shownAt = path) => {
    const page = await get(shownAt);
    if (page.status >= 400) return page;
    for (const name of Object.keys(fields)) used.add(`${path.replace(/.*\//, '')}: ${name}`);
    const hidden = ['_form', 'key', 'before'].map((name) => [name, hiddenOf(page.text, path, name)]);
    const form = { ...Object.fromEntries(hidden.filter(([, value]) => value !== '')), ...fields };
    return dash(`POST ${path}`, { cookie, form });
  };
  const show = async (id: string) => {
    const page = await get(`/tokens/${id}`);
    return page.status >= 400 ? no(proseOf(page.text)) : factsIn(page.text);
  };
  const known = async (id: string): Promise<Facts> => {
    const facts = await show(id);
    if ('no' in facts) throw new Error(facts.no);
    return facts;
  };
  const change = async (id: string, action: string, fields: Readonly<Record<string, string>>) => {
    const page = await send(`/tokens/${id}/${action}`, fields);
    return page.status >= 400 ? no(proseOf(page.text)) : show(id);
  };
  const made = async (
    page: Page,
    more: (made: Made) => Promise<Partial<Made>>,
  ): Promise<Made | ReturnType<typeof no>> => {
    if (page.status >= 400) return no(proseOf(page.text));
    const secret = decoded(/id="made" class="whole">([^<]*)</.exec(page.text)?.[1] ?? '');
    const [, id = ''] = /href="\/tokens\/(tok_[0-9A-Z]+)">To the token/.exec(page.text) ?? [];
    const done = { made: await known(id), secret };
    return { ...done, ...(await more(done)) };
  };
  const none = async () => ({});
  const pinAt = (subject: string) => `/pins/app/${encodeURIComponent(subject)}`;
  const pinnedTo = async (subject: string): Promise<string | null> => {
    const { status, text } = await get(pinAt(subject));
    return status >= 400 ? null : decoded(/<code id="value">([^<]*)</.exec(text)?.[1] ?? '');
  };
  const pinned = async (page: Page, subject: string, before: string | null) =>
    page.status >= 400 ? no(proseOf(page.text)) : { value: await pinnedTo(subject), before };
  const ops: Partial<Ops> = {
    create: async (token) =>
      made(await send('/tokens/new', fieldsOf(token), `/tokens/new?type=${token.type}`), none),
    show: ({ id }) => show(id),
    list: async ({ type, attribute }) => {
      const { text } = await get(`/tokens?${new URLSearchParams({ type, attribute })}`);
      return [...text.matchAll(/<tr>\n(<th scope="row".*?)<\/tr>/gs)]
        .map(([, row = '']) => rowIn(row))
        .reverse();
    },
    rotate: async ({ id }, overlap) =>
      made(await send(`/tokens/${id}/rotate`, { overlap }), async () => ({ old: await known(id) })),
    rotateWhenQuiet: async ({ id }, overlap) => {
      const page = await send(`/tokens/${id}/rotate`, { overlap, retire: 'when_quiet' });
      return made(page, async () => ({ old: await known(id) }));
    },
    regenerate: async ({ id }) => {
      const page = await send(`/tokens/${id}/regenerate`, {});
      const list = /<section aria-labelledby="others">.*?<\/section>/s.exec(page.text)?.[0] ?? '';
      const replaced = [...list.matchAll(/<code>(tok_[0-9A-Z]+)</g)].map(([, one = '']) => one);
      return made(page, async () => ({ replaced }));
    },
    update: async ({ id }, { label, scopes, origins, expires = '' }) => {
      const now = await known(id);
      const scope = (scopes ?? now.scopes)[0] ?? '';
      return change(id, 'edit', {
        label: label ?? now.label,
        scope,
        origins: (origins ?? now.origins).join('\n'),
        expires_in: expires ?? 'never',
      });
    },
    disable: ({ id }) => change(id, 'disable', {}),
    enable: ({ id }) => change(id, 'enable', {}),
    revoke: ({ id }, reason) => change(id, 'revoke', { reason }),
    setPin: async (subject, value) => {
      const [before, fields] = [await pinnedTo(subject), { pin: 'app', subject, value }];
      const shownAt = `/pins/set?${new URLSearchParams({ pin: 'app', subject })}`;
      return pinned(await send('/pins/set', fields, shownAt), subject, before);
    },
    showPin: async (subject) => ({ value: await pinnedTo(subject) }),
    resetPin: async (subject, reason) => {
      const before = await pinnedTo(subject);
      return pinned(await send(`${pinAt(subject)}/reset`, { reason }), subject, before);
    },
    usage: async ({ id }) => {
      const { status, text } = await get(`/tokens/${id}`);
      return status >= 400 ? no(proseOf(text)) : usedIn(text);
    },
  };
  /** Where its pages lead, and what they can be filled in with. */
  const offers = async () => {
    const { text } = await dash('GET /tokens?type=project', { cookie });
    const first = await known(/href="\/tokens\/(tok_[0-9A-Z]+)"/.exec(text)?.[1] ?? '');
    const one = await dash(`GET /tokens/${first.id}`, { cookie });
    const form = await dash(`GET /tokens/${first.id}/rotate`, { cookie });
    const links = [...(text + one.text).matchAll(/href="(\/[^"?]*)/g)].map(([, link = '']) => link);
    const pages = links
      .filter((link) => !link.includes('.'))
      .map((link) => link.replace(/tok_[0-9A-Z]+/, '{id}'));
    const fields = [...form.text.matchAll(/<(?:input|select) (?!type="hidden")[^>]*name="(\w+)"/g)];
    return [...new Set([...pages, ...fields.map(([, name]) => `rotate: ${name}`)])].sort();
  };
  return { name: 'dashboard', actor: /^token:tok_/, ops, offers, used };
}

function fieldsOf({ type, label, scopes = [], attributes = {}, origins = [], expires = '' }: NewToken) {
  const [scope] = scopes;
  const named = Object.entries(attributes).map(([name, value]) => [
    `attribute.${name}`,
    [value].flat().join('\n'),
  ]);
  return {
    ...{ type, label, origins: origins.join('\n'), expires_in: expires },
    ...(scope === undefined ? {} : { scope }),
    ...(Object.fromEntries(named) as Record<string, string>),
  };
}

/** What a person reads. */
function proseOf(html: string): string {
  const [, main = html] = /<main[^>]*>(.*)<\/main>/s.exec(html) ?? [];
  return decoded(main.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' '));
}

function decoded(text: string): string {
  const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' };
  return text.replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => named[name] ?? '');
}

const ours = [
  'Type',
  'Starts with',
  'Id',
  'Scopes',
  'Allowed origins',
  'External id',
  'Created',
  'Valid from',
];
const ends = ['Expires', 'Ends after its rotation', 'Followed by', 'Disabled', 'Revoked'];

function factsIn(html: string): Facts {
  const [, label = '', state = ''] = /<h1>(.*?) <span class="badge (\w+)">/.exec(html) ?? [];
  const [list = ''] = /<section aria-labelledby="facts".*?<\/section>/s.exec(html) ?? [];
  const found = [...list.matchAll(/<div><dt>(.*?)<\/dt><dd>(.*?)<\/dd><\/div>/gs)];
  const said = new Map(found.map(([, name = '', value = '']) => [name, value]));
  const tags = (name: string) =>
    [...(said.get(name) ?? '').matchAll(/<li><code>(.*?)<\/code>/g)].map(([, one = '']) => decoded(one));
  const time = (name: string) => hoursTo(/datetime="([^"]+)"/.exec(said.get(name) ?? '')?.[1] ?? null);
  const names = [...said.keys()].filter((name) => !ours.includes(name) && !ends.includes(name));
  return {
    id: /tok_[0-9A-Z]+/.exec(said.get('Id') ?? '')?.[0] ?? '',
    ...{ type: said.get('Type') ?? '', label: decoded(label), state, scopes: tags('Scopes') },
    attributes: Object.fromEntries(names.map((name) => [name, tags(name)])),
    origins: tags('Allowed origins'),
    ...{ expires: time('Expires'), retires: time('Ends after its rotation'), quiet: quietIn(html) },
    successor: /tok_[0-9A-Z]+/.exec(said.get('Followed by') ?? '')?.[0] ?? null,
    disabled: said.has('Disabled'),
    reason: /<\/code>: (.*)$/.exec(said.get('Revoked') ?? '')?.[1] ?? null,
  };
}

/** The part about an end that comes by itself, where it says that this may be before the overlap is over. */
function quietIn(html: string): Quiet | null {
  const [, part = ''] = /<h2 id="ending">It ends by itself(.*?)<\/section>/s.exec(html) ?? [];
  if (part === '') return null;
  const time = (words: string) =>
    hoursTo(new RegExp(`${words} <time datetime="([^"]+)"`).exec(part)?.[1] ?? null);
  const because = /As yet it stays: (.*?)\. *</s.exec(part)?.[1];
  return {
    successor: /href="\/tokens\/(tok_[0-9A-Z]+)">Its successor/.exec(part)?.[1] ?? '',
    asked: time('Asked for'),
    from: time('If nobody uses it again, that is'),
    until: time('At the latest it ends'),
    because: because === undefined ? null : decoded(because),
  };
}

function rowIn(row: string): Pick<Facts, 'id' | 'label' | 'state' | 'scopes'> {
  const [, id = '', label = ''] = /<a href="\/tokens\/(tok_[0-9A-Z]+)">(.*?)<\/a>/.exec(row) ?? [];
  const scopes = [...row.matchAll(/<code class="scope">(.*?)<\/code>/g)].map(([, one = '']) => one);
  return { id, label: decoded(label), state: /badge (\w+)/.exec(row)?.[1] ?? '', scopes };
}

function usedIn(html: string): Json {
  const figure = (name: string) =>
    Number(new RegExp(`${name}</dt><dd>([\\d,]+)`).exec(html)?.[1]?.replaceAll(',', ''));
  const [use = ''] = /<section aria-labelledby="use".*?<\/section>/s.exec(html) ?? [];
  const [, address, route] = /from <code>(.*?)<\/code>, at <code>(.*?)<\/code>/.exec(use) ?? [];
  const [, words = '', successor = ''] =
    /<h2 id="rotation">(.*?)<\/h2>.*?href="\/tokens\/(tok_[0-9A-Z]+)">Its successor/s.exec(html) ?? [];
  return {
    figures: ['Passed', 'Refused', 'Failed'].map(figure),
    last: address === undefined ? null : [address, route],
    rotation: successor === '' ? null : { successor, safe: words === 'Safe to retire' },
  };
}
