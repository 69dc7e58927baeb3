/**
 * How an api words its refusals: bodies prepared at load, filled in for one refusal at a time. What
 * a code means, its status and its title are the gateway's; here is only what the operator wrote.
 */
import type { RowSet } from './types.ts';

/** What a body may be made of; numbers are finite. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [member: string]: Json | undefined };

export const errorFields = [
  'code',
  'detail',
  'title',
  'status',
  'request_id',
  'retry_after_s',
  'retry_after_ms',
  'pin.masked',
  'required_scopes',
  'count',
  'index',
] as const;

export type ErrorField = (typeof errorFields)[number];

/** A body as it was compiled. Nothing of what the caller sent is ever read as a template. */
export type Template =
  /** No field anywhere below. */
  | { readonly kind: 'fixed'; readonly value: Json }
  /** A field alone in its text: keeps its type. */
  | { readonly kind: 'field'; readonly field: ErrorField }
  | { readonly kind: 'text'; readonly parts: readonly (string | { readonly field: ErrorField })[] }
  | { readonly kind: 'list'; readonly items: readonly Template[] }
  | { readonly kind: 'map'; readonly members: readonly (readonly [name: string, value: Template])[] }
  /** One entry per item of the request's batch. */
  | { readonly kind: 'repeat'; readonly item: Template };

/** How one refusal is worded. */
export type Wording = {
  /** null: the code's own. */
  readonly status: number | null;
  /** `code` outside; null: the code's own. */
  readonly code: string | null;
  /** null: RFC 9457. */
  readonly body: Template | null;
};

/** One block of `errors`. */
export type ErrorStyle = {
  readonly name: string;
  /** Of bodies that are written here. */
  readonly contentType: string;
  /** Whether refusals carry WWW-Authenticate. */
  readonly challenge: boolean;
  /** By exact code, every code there is. */
  readonly wordings: ReadonlyMap<string, Wording>;
};

/** What one refusal fills in; null: there is none. */
export type RefusalFacts = {
  readonly code: string;
  readonly detail: string;
  readonly title: string;
  readonly status: number;
  readonly requestId: string;
  /** 1 or more; null where the answer carries no Retry-After. */
  readonly retryAfterMs: number | null;
  readonly maskedPin: string | null;
  readonly requiredScopes: readonly string[] | null;
  /** Items in the request's body; null: not a batch, or not counted. */
  readonly batchCount: number | null;
};

/** Longer than this, the entries of a batch are one entry, whatever the caller sent. */
const repeatTextMax = 64 * 1024;

/** A body's JSON text. Pure: the same facts make the same bytes. */
export function renderBody(template: Template, facts: RefusalFacts): string {
  return JSON.stringify(filled(template, facts, -1));
}

/** The style that all rows of a path name alike; null: the default. undefined: they differ, or there are none. */
export function commonStyle(rows: RowSet): ErrorStyle | null | undefined {
  const first = rows[0]?.route.errors;
  return rows.every(({ route }) => route.errors === first) ? first : undefined;
}

/** @param index of the batch item; -1 outside a batch. */
function filled(template: Template, facts: RefusalFacts, index: number): Json {
  switch (template.kind) {
    case 'fixed':
      return template.value;
    case 'field':
      return valueFor(template.field, facts, index);
    case 'text':
      return template.parts
        .map((part) => (typeof part === 'string' ? part : textOf(valueFor(part.field, facts, index))))
        .join('');
    case 'list':
      return template.items.map((item) => filled(item, facts, index));
    case 'map':
      return Object.fromEntries(
        template.members.map(([name, value]) => [name, filled(value, facts, index)] as const),
      );
    case 'repeat':
      return entries(template.item, facts);
  }
}

/** One per item, numbered from 0; one numbered -1 where nothing was counted, or there are too many to write. */
function entries(item: Template, facts: RefusalFacts): readonly Json[] {
  const count = facts.batchCount ?? 0;
  if (count < 1) return [filled(item, facts, -1)];
  // The last has the longest number: none is longer than it.
  const last = filled(item, facts, count - 1);
  if ((JSON.stringify(last).length + 1) * count > repeatTextMax) return [filled(item, facts, -1)];
  return Array.from({ length: count }, (_, index) => filled(item, facts, index));
}

function valueFor(field: ErrorField, facts: RefusalFacts, index: number): Json {
  switch (field) {
    case 'code':
      return facts.code;
    case 'detail':
      return facts.detail;
    case 'title':
      return facts.title;
    case 'status':
      return facts.status;
    case 'request_id':
      return facts.requestId;
    case 'retry_after_s':
      return facts.retryAfterMs === null ? null : Math.ceil(facts.retryAfterMs / 1000);
    case 'retry_after_ms':
      return facts.retryAfterMs;
    case 'pin.masked':
      return facts.maskedPin;
    case 'required_scopes':
      return facts.requiredScopes;
    case 'count':
      return facts.batchCount ?? 0;
    case 'index':
      return index;
  }
}

/** A field inside a longer text: '' where there is none, scopes as RFC 6749 §3.3 writes them. */
function textOf(value: Json): string {
  if (value === null) return '';
  return Array.isArray(value) ? value.join(' ') : String(value);
}
