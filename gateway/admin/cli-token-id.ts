/** How a token is named on a command line: by its id, or by `-`, and its text from stdin; never by its text there. */
import { ask } from './cli-ask.ts';
import type { PlaceOptions } from './cli-place.ts';
import { readSecret } from './cli-secret.ts';
import { allowed, CommandFailed, exitCodes, named, type Shell } from './cli-shell.ts';
import { unknownText } from './operations-token-text.ts';
import type { ToldToken } from './token-told.ts';

export const idWords = 'its id, tok_…; or -: its text is read from stdin';

const fromStdin = '-';

/** For arguments that name a token by its id alone. */
export function tokenId(text: string): string {
  // Whatever else is that long may be a token, or hold one.
  if (named(text).length < 16 || /^tok_[0-9A-Za-z]{1,26}$/.test(text)) return text;
  throw new CommandFailed(
    exitCodes.usage,
    'that is no id, and may be a token: on a command line others can read it; pipe its text to postern token show -, or to end it to postern token revoke -',
  );
}

/** For arguments that name a token by its id, or its text by `-`. */
export function tokenIdOrText(text: string): string {
  return text === fromStdin ? text : tokenId(text);
}

/** @throws CommandFailed where the text is no token's. */
export async function idOf(said: string, options: PlaceOptions, shell: Shell): Promise<string> {
  if (said !== fromStdin) return said;
  const token = await readSecret('The token: ', shell);
  if (token === '') {
    throw new CommandFailed(exitCodes.usage, 'no token was piped in; write postern token show - < FILE');
  }
  const asking = { name: 'findToken', body: { token }, access: 'read', nothing: unknownText } as const;
  return allowed(await ask<ToldToken>(options, asking, shell)).id;
}
