/** The parts of the config that policy knows, put together. Shape only: cross rules are compile.ts. */
import * as v from 'valibot';
import { apisSchema } from './config-apis.ts';
import { errorsSchema } from './config-errors.ts';
import { closed } from './config-fields.ts';
import { fixturesSchema } from './config-fixtures.ts';
import { pinsSchema } from './config-pins.ts';
import { corsSchema, failureBudgetSchema, identitySchema, limitsSchema } from './config-rules.ts';
import { scopesSchema, tokenTypesSchema } from './config-tokens.ts';

/** Entries rather than an object: the gateway adds its own to them. */
export const policyEntries = {
  token_types: v.optional(tokenTypesSchema, {}),
  scopes: v.optional(scopesSchema, {}),
  apis: apisSchema,
  cors: v.optional(corsSchema, {}),
  errors: v.optional(errorsSchema, {}),
  pins: v.optional(pinsSchema, {}),
  limits: v.optional(limitsSchema, {}),
  failure_budget: v.optional(failureBudgetSchema),
  identity: v.optional(identitySchema, {}),
  fixtures: v.optional(fixturesSchema, []),
};

export const policySchema = closed(policyEntries);

/** As an operator writes it. */
export type PolicyInput = v.InferInput<typeof policySchema>;

/** As the schema hands it on: units read, defaults in place, names not yet resolved. */
export type PolicyConfig = v.InferOutput<typeof policySchema>;
export type TokenTypeConfig = PolicyConfig['token_types'][string];
export type LimitConfig = PolicyConfig['limits'][string];
export type ApiConfig = PolicyConfig['apis'][string];
export type PinConfig = PolicyConfig['pins'][string];
export type RowConfig = ApiConfig['routes'][string];
export type FixtureConfig = PolicyConfig['fixtures'][number];
