/** The route that finds a token by its text, which stands in the body alone. */
import * as v from 'valibot';
import { nothingSaid, said } from './http-fields.ts';
import { guessed } from './http-guesses.ts';
import { route } from './http-route.ts';
import { tokenSchema } from './http-tokens.ts';
import { findTokenByText } from './operations-token-text.ts';
import { toldToken } from './token-told.ts';

const find = route({
  method: 'POST',
  path: '/v1/tokens/find',
  name: 'findToken',
  summary: 'The token that has this text, dead or alive; the text is kept nowhere.',
  scope: 'tokens:read',
  query: nothingSaid,
  body: v.object({ token: said('The whole text of a token.') }),
  status: 200,
  answer: tokenSchema,
  changes: false,
  once: null,
  async handle({ desk, guesses, body: { token } }) {
    const found = await guessed(guesses, () => findTokenByText(desk, token));
    return found.ok ? { ok: true, value: await toldToken(desk, found.value) } : found;
  },
});

export const tokenTextRoutes = [find];
