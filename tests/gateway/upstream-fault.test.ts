import { describe, expect, test } from 'vitest';
import { upstreamFault } from '../../gateway/upstream.ts';

const system = (code: string, syscall: string) => Object.assign(new Error(code), { code, syscall });

describe('what may have arrived', () => {
  test.each(['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN'])('%s before a connection: nothing', (code) => {
    expect(upstreamFault(system(code, 'connect'))).toMatchObject({
      code: 'upstream_unreachable',
      unsent: true,
    });
  });

  test.each(['read', 'write'])(
    'EHOSTUNREACH on %s: the connection stood, and the request may have',
    (syscall) => {
      expect(upstreamFault(system('EHOSTUNREACH', syscall))).toMatchObject({
        code: 'upstream_unreachable',
        unsent: false,
      });
    },
  );
});
