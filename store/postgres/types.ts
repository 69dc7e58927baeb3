/** How PostgreSQL's answers become values, on our connections only. */
import type pg from 'pg';

/** bool; int8, int4. A bigint of ours is a time in ms or a count: far below 2^53. */
const BOOL = 16;
const NUMBERS = [20, 23];

const parserFor = (oid: number) => {
  if (oid === BOOL) return (value: string) => value === 't';
  return NUMBERS.includes(oid) ? Number : (value: string) => value;
};

export const typeParsers = { getTypeParser: parserFor } as pg.CustomTypesConfig;
