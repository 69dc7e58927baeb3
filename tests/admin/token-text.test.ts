/** A token's text in hand: it is found and ended by every face, and stands nowhere after. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../gateway/admin/cli.ts';
import { adminConfig } from '../fixtures/admin.ts';
import { type DashFixture, hiddenOf, startDash } from '../fixtures/dash.ts';
import { Terminal } from './terminal.ts';

const secret = (name: string, letters: string) => `${name}_${letters.repeat(30)}`;

let dash: DashFixture;
beforeAll(async () => {
  dash = await startDash(
    'admin: { address: 127.0.0.1:0 }',
    adminConfig.replace(
      'scopes:\n  events:read',
      '  bare: { prefix: "", scopes: [events:write] }\nscopes:\n  events:read',
    ),
  );
});
afterAll(() => dash.gateway.stop());

/** A line of the command line, with something piped in. */
async function piped(text: string | null, ...words: readonly string[]) {
  let [out, err] = ['', ''];
  const { token } = await dash.mint();
  const folder = new Terminal('');
  const code = await run([...words, '--url', dash.url], {
    env: { HOME: folder.folder, POSTERN_ADMIN_TOKEN: token },
    out: (more) => {
      out += more;
    },
    err: (more) => {
      err += more;
    },
    colours: false,
    now: Date.now,
    ...(text === null
      ? {}
      : {
          stdin: async function* () {
            yield Buffer.from(text);
          },
        }),
  });
  return { code, out, err };
}

const project = () => dash.gateway.mint('project', { attributes: { project: 'prj_a' } });

async function auditText(): Promise<string> {
  return (await dash.ask('GET /v1/audit?limit=1000')).text;
}

describe('the admin API', () => {
  test('finds a token by its text, dead or alive, of any kind', async () => {
    const made = [await project(), await dash.gateway.mint('legacy'), await dash.mint('pins:read')];
    for (const { id, token } of made) {
      const { status, json } = await dash.ask('POST /v1/tokens/find', { body: { token } });
      expect([status, json.id, json.state]).toEqual([200, id, 'active']);
      await dash.ask(`POST /v1/tokens/${id}/revoke`, { body: {} });
      expect((await dash.ask('POST /v1/tokens/find', { body: { token } })).json).toMatchObject({
        ...{ id, state: 'revoked' },
      });
    }
    const text = dash.gateway.logText() + (await auditText());
    for (const { token } of made) expect(text).not.toContain(token);
  });

  test('says of whatever is none the same words, and repeats nothing of it', async () => {
    const { token } = await project();
    const texts = [token.slice(0, -1), `${token}x`, token.toUpperCase(), 'x', '', secret('prj', 'a')];
    const answers = await Promise.all(
      texts.map(async (text) => {
        const headers = { Prefer: 'given' };
        const asked = await dash.ask('POST /v1/tokens/find', { body: { token: text }, headers });
        const { instance: _, ...words } = asked.json;
        return words;
      }),
    );
    for (const words of answers) expect(words).toEqual(answers[0]);
    expect(answers[0]).toMatchObject({ status: 404, code: 'record_not_found' });
    expect(JSON.stringify(answers)).not.toContain('prj_');
  });

  test('lets nobody try for ever: twenty that are none in a minute, and whoever asks waits; others do not', async () => {
    const { token } = await dash.mint('tokens:read');
    const none = () => dash.ask('POST /v1/tokens/find', { token, body: { token: secret('prj', 'b') } });
    const answers = await Promise.all(Array.from({ length: 25 }, none));
    expect(answers.map(({ status }) => status).filter((status) => status === 404)).toHaveLength(20);
    const late = await none();
    expect([late.status, late.json.code]).toEqual([429, 'too_many_failures']);
    expect(Number(late.headers.get('Retry-After'))).toBeGreaterThan(0);
    const { token: mine, id } = await project();
    expect((await dash.ask('POST /v1/tokens/find', { body: { token: mine } })).json.id).toBe(id);
    expect((await dash.ask(`GET /v1/tokens/${id}`, { token })).status).toBe(200);
  });

  test('takes tokens:read', async () => {
    const { token } = await dash.mint('pins:read');
    const { json } = await dash.ask('POST /v1/tokens/find', { token, body: { token: 'x' } });
    expect(json.code).toBe('scope_missing');
  });
});

describe('the command line', () => {
  test('ends the token that is piped in, shows it, and switches it off and on', async () => {
    const { id, token } = await project();
    for (const [verb, state] of [
      ['disable', 'disabled'],
      ['enable', 'active'],
      ['revoke', 'revoked'],
      ['show', 'revoked'],
    ] as const) {
      const { code, out, err } = await piped(`${token}\n`, 'token', verb, '-', '--json');
      expect([verb, code, JSON.parse(out).id, JSON.parse(out).state]).toEqual([verb, 0, id, state]);
      expect(out + err).not.toContain(token);
    }
    const answer = await fetch(`${dash.gateway.url}/events`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    expect(answer.status).toBe(401);
    expect(await auditText()).not.toContain(token);
  });

  test('rotates and changes the token that is piped in, and its text is in no line and no record', async () => {
    const { id, token } = await project();
    const changed = await piped(`${token}\n`, 'token', 'update', '-', '--label', 'reported', '--json');
    expect([changed.code, JSON.parse(changed.out)]).toMatchObject([0, { id, label: 'reported' }]);
    const rotated = await piped(`${token}\n`, 'token', 'rotate', '-', '--overlap', '0s', '--json');
    const made = JSON.parse(rotated.out);
    expect([rotated.code, made.rotated]).toMatchObject([0, { id, state: 'revoked', rotated_to: made.id }]);
    const words = await piped(`${made.token}\n`, 'token', 'rotate', '-');
    expect([words.code, words.out]).toEqual([0, expect.stringMatching(/^prj_\S+\n$/)]);
    const told = [changed, rotated, words].map(({ out, err }) => out + err).join('');
    expect(told).not.toContain(token);
    expect(words.out + words.err).not.toContain(made.token);
    const kept = dash.gateway.logText() + (await auditText());
    for (const text of [token, made.token, words.out.trim()]) expect(kept).not.toContain(text);
    const none = await piped(`${secret('prj', 'h')}\n`, 'token', 'rotate', '-');
    expect([none.code, none.out]).toEqual([1, '']);
    expect(none.err).toMatch(/^error: no token has this text; [^\n]+\n$/);
  });

  test('does the same beside the store', async () => {
    const terminal = new Terminal();
    const { id, token } = JSON.parse(
      (await terminal.run('token', 'create', '--type', 'user', '--json')).stdout,
    );
    let out = '';
    const told = (text: string) => {
      out += text;
    };
    const seat = { out: true, err: true, ask: null, askSecret: async () => token };
    const config = terminal.path('gateway.config.yaml');
    const code = await run(['token', 'revoke', '-', '--reason', 'leaked', '--config', config], {
      ...{ env: {}, out: told, err: told, colours: false, now: Date.now, terminal: seat },
    });
    expect([code, out.includes(token)]).toEqual([0, false]);
    expect(await terminal.json('token', 'show', id)).toMatchObject({
      ...{ state: 'revoked', revoked_reason: 'leaked', revoked_by: 'cli' },
    });
  });

  test('says of a text that is no token so, and of nothing that nothing came', async () => {
    const none = await piped(`${secret('prj', 'c')}\n`, 'token', 'revoke', '-');
    expect([none.code, none.out]).toEqual([1, '']);
    expect(none.err).toMatch(/^error: no token has this text; [^\n]+\n$/);
    expect(none.err).not.toContain('prj_c');
    expect((await piped('', 'token', 'show', '-')).code).toBe(2);
    expect((await piped(null, 'token', 'show', '-')).code).toBe(2);
  });

  test.each(['show', 'revoke', 'disable', 'enable', 'rotate', 'update'])(
    'a token in place of an id is not asked for nor repeated by token %s: it says how',
    async (verb) => {
      const { token } = await project();
      for (const text of [
        token,
        `Bearer ${token}`,
        secret('tok', 'c'),
        secret('svc', 'd'),
        `17|${'e'.repeat(40)}`,
      ]) {
        const { code, out, err } = await piped(null, 'token', verb, text);
        expect([code, out]).toEqual([2, '']);
        expect(err).toMatch(/^error: that is no id, and may be a token: [^\n]*token revoke -\n$/);
        expect(err).not.toContain(text);
      }
      expect((await piped(null, 'usage', token)).code).toBe(2);
    },
  );
});

describe('the dashboard', () => {
  const open = async () => {
    const { cookie } = await dash.signIn('tokens:read');
    const { text } = await dash.dash('GET /tokens', { cookie });
    const _form = hiddenOf(text, '/tokens/find', '_form');
    const find = (words: string, more = {}) =>
      dash.dash('POST /tokens/find', { cookie, form: { _form, words, ...more } });
    return { cookie, find };
  };

  test('leads from the text of a token to its page, without it in any address', async () => {
    const { find } = await open();
    for (const type of ['project', 'legacy', 'bare']) {
      const { id, token } = await dash.gateway.mint(
        type,
        type === 'project' ? { attributes: { project: 'prj_a' } } : {},
      );
      const { status, location, text } = await find(` ${token} `);
      expect([type, status, location]).toEqual([type, 303, `/tokens/${id}`]);
      expect(text).not.toContain(token);
    }
  });

  test('says of one that nobody has so, and shows nothing of it', async () => {
    const { find } = await open();
    const unknown = secret('prj', 'f');
    const { status, location, text } = await find(unknown);
    expect([status, location]).toEqual([404, null]);
    expect(text).toContain('No token has this text');
    expect(text).not.toContain('prj_f');
    expect(text).not.toContain('There are no tokens yet');
  });

  test('leads from other words to the list, where they stand in the address', async () => {
    const { find } = await open();
    expect((await find('build server', { type: 'user' })).location).toBe(
      '/tokens?words=build+server&type=user',
    );
    expect((await find('')).location).toBe('/tokens');
  });

  test('looks for words that only may be a token without an address that has them', async () => {
    const { find } = await open();
    for (const words of ['a-build-server-of-ours', 'g'.repeat(40)]) {
      const { status, location, text } = await find(words);
      expect([words, status, location]).toEqual([words, 200, null]);
      expect(text).toContain(`value="${words}"`);
      expect(text).not.toMatch(/href="[^"]*words=/);
    }
  });

  test.each(['"T"', "'T',", 'Bearer T', 'Authorization: Bearer T', 'TOKEN=T', 'https://x.example/T?a=b'])(
    'finds a token in %s, and puts it in no address',
    async (around) => {
      const { cookie, find } = await open();
      const { id, token } = await dash.gateway.mint('project', { attributes: { project: 'prj_a' } });
      const words = around.replace('T', token).replace(`${token}OKEN=T`, `TOKEN=${token}`);
      expect((await find(words)).location).toBe(`/tokens/${id}`);
      const seen = await dash.dash(`GET /tokens?${new URLSearchParams({ words })}`, { cookie });
      expect([seen.status, seen.location, seen.text]).toEqual([303, '/tokens', '']);
    },
  );

  test('takes a token out of an address that has one, before and after the sign-in', async () => {
    const { cookie } = await open();
    const token = secret('prj', 'g');
    const path = `/tokens?${new URLSearchParams({ words: token, type: 'user' })}`;
    const seen = await dash.dash(`GET ${path}`, { cookie });
    expect([seen.status, seen.location, seen.text]).toEqual([303, '/tokens?type=user', '']);
    const out = await dash.dash(`GET ${path}`);
    expect([out.status, out.location]).toEqual([303, '/sign-in?to=%2Ftokens%3Ftype%3Duser']);
  });

  test('shows no text that begins like a token, whatever is around it in the address', async () => {
    const { cookie } = await open();
    const letter = fc.constantFrom(...'abcXYZ019');
    const tail = fc.string({ unit: letter, minLength: 16, maxLength: 40 });
    const prefix = fc.constantFrom('prj_', 'usr_', 'old_', 'probe_', 'postern_admin_');
    const key = fc.constantFrom('words', 'type', 'state', 'attribute');
    const asked = fc.asyncProperty(prefix, tail, key, fc.boolean(), async (start, end, name, spaced) => {
      const text = `${start}${end}`;
      const query = new URLSearchParams({ [name]: spaced ? `  ${text} ` : text, after: '' });
      const answer = await dash.dash(`GET /tokens?${query}`, { cookie });
      expect(answer.status).toBe(303);
      expect(`${answer.location} ${answer.text}`).not.toContain(end);
    });
    await fc.assert(asked, { numRuns: 40 });
  });
});
