/** Bodies of made-up requests, and how they are sent. */
import type { Field } from '../../gateway/answer.ts';

/** `body` as it is sent; `json` the same without its framing, where it is for rows that read it. */
export type Framing = { readonly fields: readonly Field[]; readonly body: string; readonly json?: string };

/** For rows that read it; what they cut out stands in some. */
export const jsonFraming: readonly Framing[] = [
  ...['{"token":"x"}', '{"token":[1],"a":1}', '{"b":2 , "token" : {}}', '{"a":{"token":1,"b":2},"token":3}'],
  ...['{"b":1}', '{}', '{"a":7}', '{"b":[{"a":1}]}'],
  ...[
    '{"Token":1}',
    '{"token":1,"tok\\u0065n":2}',
    '[{"token":1}]',
    '{"a":[{"token":1}]}',
    '{"token":1',
    '[1]',
  ],
].flatMap((json): readonly Framing[] => {
  const type: Field = ['Content-Type', 'application/json'];
  const chunk = `${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`;
  return [
    { fields: [type, ['Content-Length', String(json.length)]], body: json, json },
    { fields: [type, ['Transfer-Encoding', 'chunked']], body: chunk, json },
  ];
});
