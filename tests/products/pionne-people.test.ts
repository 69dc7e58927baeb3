/** Pionne's people: their projects, and signing in and out as the service's own answers tell of it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPionne, refusedBy, strangerToken } from './pionne-stage.ts';
import type { Product, Told } from './stage.ts';

let product: Product;
const curl = (line: string): Promise<Told> => product.curl(line);
const refused = (told: Told, status: number, more?: object) => refusedBy(product, told, status, more);
const user = '-H "Authorization: Bearer $U"';

beforeAll(async () => {
  product = await openPionne();
  product.names.STRANGER = strangerToken();
});
afterAll(() => product.stop());
beforeEach(() => {
  product.seen.length = 0;
});

describe('every route of the documents', () => {
  const event = `J -d '{"message":"x","session_id":"0d8c1a47-9a87-4cc0-a8fa-3a8ce6f77c43","status":"ok"}'`;
  const form = `-F release=1.0.0 -F platform=ios -F "file=@/etc/hostname;filename=main.map.gz"`;
  const sdk = '-H "X-Pionne-Token: $TB"';
  const routes = [
    ['POST /ingest', sdk, user, event, 202],
    ['POST /sessions', sdk, user, event, 202],
    ['POST /feedback', sdk, user, event, 202],
    ['POST /events/1234/feedback', sdk, user, event, 202],
    ['POST /profiles', sdk, user, event, 202],
    ['GET /projects', user, sdk, '', 200],
    ['POST /projects', user, sdk, `J -d '{"name":"Acme","platform":"ios"}'`, 201],
    [
      'PATCH /projects/prj_a1b2c3',
      user,
      sdk,
      `J -d '{"name":"Acme iOS Prod","notify_on_threshold":500}'`,
      200,
    ],
    ['POST /projects/prj_a1b2c3/regenerate', user, sdk, '', 200],
    ['DELETE /projects/prj_a1b2c3/issues/iss_xxx', user, sdk, '', 200],
    ['POST /projects/prj_a1b2c3/sourcemaps', user, sdk, form, 200],
    ['DELETE /projects/prj_a1b2c3', user, sdk, `J -d '{"deletion_code":"1234"}'`, 204],
    ['GET /auth/me', user, sdk, '', 200],
  ] as const;

  test.each(routes)(
    '%s is for one kind of token and 401 for the other, under both prefixes',
    async (route, right, wrong, body, status) => {
      const [method, path] = route.split(' ');
      for (const prefix of ['', '/api']) {
        const line = `curl -X ${method} "$GW${prefix}${path}"`;
        const refusals = [wrong, '', wrong.replace(/".*: /, '"Authorization: Bearer ')];
        for (const credential of refusals) refused(await curl(`${line} ${credential} ${body}`), 401);
        const told = await curl(`${line} ${right} ${body}`);
        expect([prefix, told.status]).toEqual([prefix, status]);
        // What is answered at the gate asks the service first whose project it is.
        const target = route.endsWith('regenerate') ? '/projects/prj_a1b2c3' : `${prefix}${path}`;
        expect(product.seen.map(({ target }) => target)).toEqual([target]);
        product.seen.length = 0;
      }
    },
  );

  test.each(['register', 'login', 'login/totp'])(
    '25: POST /auth/%s needs no token, under both prefixes',
    async (row) => {
      const body = `{"email":"ann@example.com","password":"min8chars","name":"Ann","totp_token":"pionne_totp_ann","code":"123456"}`;
      for (const path of [`/api/auth/${row}`, `/auth/${row}`]) {
        product.seen.length = 0;
        const told = await curl(`curl -X POST $GW${path} J -H "X-Pionne-Client: cli" -d '${body}'`);
        expect([told.status, told.body.user.id]).toEqual([row === 'register' ? 201 : 200, 'usr_ann']);
        const [seen] = product.seen;
        expect([seen?.target, seen?.body, seen?.headers['x-pionne-client']]).toEqual([path, body, 'cli']);
      }
    },
  );

  test('POST /auth/logout needs a person’s token', async () => {
    for (const credential of ['', '-H "X-Pionne-Token: $TB"', '-H "Authorization: Bearer $TB"']) {
      refused(await curl(`curl -X POST $GW/auth/logout ${credential}`), 401);
    }
  });
});

describe('projects', () => {
  test('13, 14: an app’s token lists nothing, in either header', async () => {
    refused(await curl('curl $GW/projects -H "Authorization: Bearer $T1"'), 401);
    refused(await curl('curl $GW/projects -H "X-Pionne-Token: $T1"'), 401);
    refused(await curl('curl "$GW/api/projects?token=$T1"'), 401);
  });

  test('15: a person’s lists projects, the service learns whose it is and never sees it', async () => {
    const told = await curl('curl $GW/projects -H "Authorization: Bearer $U"');
    expect([told.status, told.body.data[0].token_preview]).toEqual([200, 'pio_live_abcd...']);
    expect(product.seen[0]?.headers).toMatchObject({
      'x-postern-user': 'usr_a1b2c3',
      'x-postern-client': 'cli',
    });
    expect(product.seen[0]?.headers).not.toHaveProperty('authorization');
  });

  test('a person’s token that is wrong by a character, or has another’s id, is 401', async () => {
    for (const wrong of [`\${U%?}`, `\${U}a`, `3|\${U#*|}`, `\${U#*|}`, '2|', 'pionne_totp_xxxxxxxxxxxx']) {
      refused(await curl(`curl $GW/projects -H "Authorization: Bearer ${wrong}"`), 401);
    }
    refused(await curl('curl $GW/projects -H "Authorization: Token $U"'), 401);
    refused(await curl(`curl $GW/projects ${user} ${user}`), 400);
    refused(await curl('curl $GW/projects -H "Cookie: token=$U"'), 401);
    refused(await curl('curl "$GW/projects?token=$U"'), 401);
  });

  test('a sourcemap larger than any other body streams through untouched, gzip and all', async () => {
    const map = gzipSync(Buffer.from(`{"version":3,"mappings":"${'AAAA;'.repeat(2_200_000)}"}`), {
      level: 0,
    });
    product.names.MAP = join(product.folder, 'main.map.gz');
    writeFileSync(product.names.MAP, map);
    const told = await curl(
      `curl -X POST $GW/api/projects/prj_a/sourcemaps ${user} -F release=1.0.0 -F platform=ios -F "file=@$MAP;type=application/gzip"`,
    );
    expect(told.status).toBe(200);
    const [{ headers, body } = { headers: {}, body: '' }] = product.seen;
    expect(headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
    expect(body.includes(map.toString('latin1'))).toBe(true);
    expect(Number(headers['content-length'])).toBe(body.length);
  });
});

describe('signing in and out', () => {
  const login = async (client: string | null, more = '') => {
    const header = client === null ? '' : `-H "X-Pionne-Client: ${client}"`;
    const told = await curl(
      `curl -X POST $GW/auth/login J ${header} -d '{"email":"jane@example.com","password":"min8chars"}' ${more}`,
    );
    expect(told.status).toBe(200);
    return told.body.token as string;
  };
  const works = async (token: string) => {
    product.names.TOKEN = token;
    return (await curl('curl $GW/auth/me -H "Authorization: Bearer $TOKEN"')).status;
  };
  // Ten a minute from one address.
  const elsewhere = '--interface 127.0.0.2';

  test('a registration’s token works at once', async () => {
    const told = await curl(
      `curl -X POST $GW/api/auth/register J ${elsewhere} -d '{"email":"new@example.com","password":"min8chars","name":"Jane Doe"}'`,
    );
    expect(told.status).toBe(201);
    expect(await works(told.body.token)).toBe(200);
    expect(product.seen.at(-1)?.headers).toMatchObject({
      'x-postern-user': 'usr_new',
      'x-postern-client': 'mobile',
    });
  });

  test('a sign-in ends the one before of the same kind of client, and no other’s', async () => {
    const [cli, mobile, web] = [
      await login('cli', elsewhere),
      await login(null, elsewhere),
      await login('web', elsewhere),
    ];
    expect(await Promise.all([cli, mobile, web].map(works))).toEqual([200, 200, 200]);
    const again = await login('cli', elsewhere);
    expect([await works(cli), await works(again), await works(mobile), await works(web)]).toEqual([
      401, 200, 200, 200,
    ]);
    // What is no kind of client counts as mobile, as none does.
    const other = await login('toaster', elsewhere);
    expect([await works(mobile), await works(other), await works(web)]).toEqual([401, 200, 200]);
    // Somebody else's are not touched.
    product.names.TOKEN = product.names.U ?? '';
    expect(await works(product.names.TOKEN)).toBe(200);
  });

  test('with two factors, the first answer is no token and the second is', async () => {
    const first = await curl(
      `curl -X POST $GW/auth/login J ${elsewhere} -H "X-Pionne-Client: web" -d '{"email":"tom@example.com","password":"two factors"}'`,
    );
    expect([first.status, first.body]).toEqual([200, { requires_totp: true, totp_token: 'pionne_totp_tom' }]);
    const totp = (code: string) =>
      curl(
        `curl -X POST $GW/api/auth/login/totp J ${elsewhere} -H "X-Pionne-Client: web" -d '{"totp_token":"pionne_totp_tom","code":"${code}"}'`,
      );
    const wrong = await totp('000000');
    expect([wrong.status, wrong.body]).toEqual([401, { message: 'Invalid code.' }]);
    const [one, two] = [(await totp('123456')).body.token, (await totp('123456')).body.token];
    expect([await works(one), await works(two)]).toEqual([401, 200]);
    expect(product.seen.at(-1)?.headers).toMatchObject({
      'x-postern-user': 'usr_tom',
      'x-postern-client': 'web',
    });
  });

  test('a wrong password is the service’s 401, and makes no token', async () => {
    const told = await curl(
      `curl -X POST $GW/auth/login J ${elsewhere} -d '{"email":"jane@example.com","password":"wrong"}'`,
    );
    expect([told.status, told.body]).toEqual([401, { message: 'Invalid credentials.' }]);
  });

  test('an answer that holds no token where one should be is 502, and none of it goes out', async () => {
    const told = await curl(
      `curl -X POST $GW/auth/login J ${elsewhere} -d '{"email":"odd@example.com","password":"min8chars"}'`,
    );
    product.seen.length = 0;
    refused(told, 502);
    expect(told.headers).not.toHaveProperty('set-cookie');
  });

  test('signing out ends that token, and no other', async () => {
    const [cli, web] = [
      await login('cli', '--interface 127.0.0.3'),
      await login('web', '--interface 127.0.0.3'),
    ];
    product.names.TOKEN = cli;
    const told = await curl('curl -X POST $GW/auth/logout -H "Authorization: Bearer $TOKEN"');
    expect([told.status, told.text]).toEqual([204, '']);
    product.seen.length = 0;
    refused(await curl('curl $GW/auth/me -H "Authorization: Bearer $TOKEN"'), 401);
    expect(await works(web)).toBe(200);
  });

  test('an eleventh try within a minute is 429, with a time to wait; another address may go on', async () => {
    const line = (words: string) =>
      `curl -s -o /dev/null -w '%{http_code} ' "$GW/auth/login?[1-10]" ${words} -H "Content-Type: application/json" -d '{"email":"jane@example.com","password":"wrong"}'`;
    expect(await product.shell(line('--interface 127.0.0.4'))).toBe('401 '.repeat(10));
    product.seen.length = 0;
    const told = await curl(
      `curl -X POST $GW/api/auth/login J --interface 127.0.0.4 -d '{"email":"jane@example.com","password":"wrong"}'`,
    );
    refused(told, 429, { message: 'Too Many Attempts.' });
    expect(told.headers['retry-after']).toMatch(/^[1-9][0-9]?$/);
    expect(await login('cli', '--interface 127.0.0.5')).toMatch(/^\d+\|/);
  });
});
