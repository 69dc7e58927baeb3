/** Query trees to PostgreSQL's SQL. It never runs one. */
import { createQueryId, PostgresQueryCompiler } from 'kysely';
import type { Change, Statement } from '../schema.ts';

const compiler = new PostgresQueryCompiler();

export function postgresStatement(query: Pick<Change, 'toOperationNode' | 'ifChanged'>): Statement {
  const { sql, parameters } = compiler.compileQuery(query.toOperationNode(), createQueryId());
  return query.ifChanged === true ? { sql, parameters, ifChanged: true } : { sql, parameters };
}
