/** What a row that is answered here tells of an attribute that a csrf rule reads: to whoever makes a token, and to nobody later. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type GatewayFixture, startTestGateway } from '../fixtures/gateway.ts';

const own = 'attributes: { user: token.attribute.user, csrf: token.attribute.csrf }';
const yaml = `
upstreams: { app: { url: http://127.0.0.1:9 } }
token_types:
  page:
    prefix: pag_
    scopes: []
    sources: [bearer, "cookie:sid"]
    attributes: { user: required, csrf: required }
    csrf: { header: X-CSRF-Token, equals: token.attribute.csrf }
apis:
  main:
    to: app
    types: [page]
    routes:
      GET /mine: { allow: { page: any_scope }, serve: token.list, with: { type: page, ${own} } }
      POST /mine: { allow: { page: any_scope }, serve: token.create, with: { type: page, ${own} } }
      POST /regenerate: { allow: { page: any_scope }, serve: token.regenerate, with: { type: page, ${own}, grace: 1h } }
      POST /mine/{id}/rotate: { allow: { page: any_scope }, serve: token.rotate, with: { type: page, ${own}, token: "{id}", overlap: 1h } }
      POST /mine/{id}/revoke: { allow: { page: any_scope }, serve: token.revoke, with: { type: page, ${own}, token: "{id}" } }
`;

let gateway: GatewayFixture;
let caller = '';
beforeAll(async () => {
  gateway = await startTestGateway(yaml);
  caller = (await gateway.mint('page', { attributes: { user: 'u1', csrf: 'NOBODYS' } })).token;
});
afterAll(() => gateway.stop());

async function ask(line: string, body?: unknown) {
  const [method = '', path = ''] = line.split(' ');
  const answer = await fetch(gateway.url + path, {
    method,
    headers: { Authorization: `Bearer ${caller}`, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, text: await answer.text() };
}

test('who makes a token is told what it takes to use it', async () => {
  const { status, text } = await ask('POST /mine', { label: 'second' });
  const { token } = JSON.parse(text);
  expect([status, token.csrf, token.attributes]).toEqual([201, 'NOBODYS', { user: 'u1', csrf: 'NOBODYS' }]);
});

test('no answer about tokens that are there has it, nor one of a successor', async () => {
  const { tokens } = JSON.parse((await ask('GET /mine')).text);
  expect(tokens.length).toBeGreaterThan(0);
  for (const { attributes, csrf, user } of tokens) {
    expect([attributes, csrf, user]).toEqual([{ user: 'u1', csrf: '(hidden)' }, '(hidden)', 'u1']);
  }
  const { id } = await gateway.mint('page', { attributes: { user: 'u1', csrf: 'NOBODYS' } });
  const lines = [
    'GET /mine?limit=1',
    `POST /mine/${id}/rotate`,
    `POST /mine/${id}/revoke`,
    'POST /regenerate',
  ];
  for (const line of lines) {
    const { status, text } = await ask(line, line.startsWith('GET') ? undefined : {});
    expect([line, status, text.includes('NOBODYS'), text.includes('(hidden)')]).toEqual([
      line,
      200,
      false,
      true,
    ]);
  }
  // The successor has it all the same.
  const { tokens: kept } = await gateway.running.tokens.list({ type: 'page', limit: 100 });
  expect(kept.every(({ attributes }) => attributes.get('csrf') === 'NOBODYS')).toBe(true);
});
