/** Every operation on tokens and probes by name: what it needs, and what it answers with. Each face serves from this list. */

/** `subject`: the text for which a key is derived. */
export type OperationNeeds = 'type' | 'attributes' | 'id' | 'subject';

/**
 * `secret`: a record, and once its plaintext or its trigger. `record`: a record, never a plaintext. `page`: records, and a cursor.
 */
export type OperationAnswer = 'secret' | 'record' | 'page';

export type Operation = {
  readonly needs: readonly OperationNeeds[];
  readonly answer: OperationAnswer;
  /** What an operator's own token must hold for it. */
  readonly scope: 'tokens:read' | 'tokens:write' | 'probes:read' | 'probes:write';
  /** Whether it leaves an audit row, in its own transaction. */
  readonly audited: boolean;
};

const write = { scope: 'tokens:write', audited: true } as const;
const read = { scope: 'tokens:read', audited: false } as const;

export const operations = {
  'token.create': { needs: ['type', 'attributes'], answer: 'secret', ...write },
  'token.list': { needs: [], answer: 'page', ...read },
  'token.show': { needs: ['id'], answer: 'record', ...read },
  'token.rotate': { needs: ['id'], answer: 'secret', ...write },
  'token.regenerate': { needs: ['type', 'attributes'], answer: 'secret', ...write },
  'token.update': { needs: ['id'], answer: 'record', ...write },
  'token.disable': { needs: ['id'], answer: 'record', ...write },
  'token.enable': { needs: ['id'], answer: 'record', ...write },
  'token.revoke': { needs: ['id'], answer: 'record', ...write },
  'probe.activate': { needs: ['type', 'subject'], answer: 'secret', scope: 'probes:write', audited: true },
  'probe.list': { needs: ['type', 'subject'], answer: 'page', scope: 'probes:read', audited: false },
  'probe.deactivate': {
    needs: ['type', 'subject', 'id'],
    answer: 'record',
    scope: 'probes:write',
    audited: true,
  },
} as const satisfies Readonly<Record<string, Operation>>;

export type OperationName = keyof typeof operations;
