/** A database that must not be worked on. */

export type DatabaseRefusedCode = 'missing' | 'corrupt' | 'newer_schema' | 'unreadable';

/** The database was not opened, and not changed. The message names it, without secrets, and says what to do. */
export class DatabaseRefused extends Error {
  readonly code: DatabaseRefusedCode;

  constructor(code: DatabaseRefusedCode, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = 'DatabaseRefused';
    this.code = code;
  }
}
