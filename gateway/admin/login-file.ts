/** What `postern login` keeps: one gateway's address and an admin token for it, for this user alone. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import * as v from 'valibot';
import { adminPrefix } from '../../policy/admin-type.ts';
import { CommandFailed, exitCodes, type Shell } from './cli-shell.ts';

export type Login = {
  /** Where the token goes, and nowhere else: `http://127.0.0.1:8081`. */
  readonly url: string;
  readonly token: string;
  /** That it goes there over http, to another host, was said when it was kept. */
  readonly insecureHttp: boolean;
};

type Env = Shell['env'];

const schema = v.strictObject({ url: v.string(), token: v.string(), insecure_http: v.optional(v.boolean()) });

const adminToken = new RegExp(`^${adminPrefix}[0-9A-Za-z]{48}$`);

export function isAdminToken(text: string): boolean {
  return adminToken.test(text);
}

export function loginFile({ XDG_CONFIG_HOME: own = '', HOME: home }: Env): string {
  const folder = isAbsolute(own) ? own : join(home || homedir(), '.config');
  return join(folder, 'postern', 'login.json');
}

/** @returns null: nobody is logged in. @throws CommandFailed where the file is not this user's alone, or makes no sense. */
export function readLogin(env: Env): Login | null {
  const file = loginFile(env);
  const text = textOf(file);
  if (text === null) return null;
  try {
    const { url, token, insecure_http: insecureHttp = false } = v.parse(schema, JSON.parse(text));
    if (isAdminToken(token)) return { url, token, insecureHttp };
  } catch {
    // As below; what the file holds may be a secret.
  }
  throw refused(`${file} is not what postern login writes`, 'postern login writes it anew');
}

/** null: it is not there. */
function textOf(file: string): string | null {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw refused(`${file} cannot be read (${code})`, 'remove it, then postern login');
  }
  try {
    const { mode, uid } = fstatSync(descriptor);
    const isOurs = process.getuid === undefined || (uid === process.getuid() && (mode & 0o077) === 0);
    if (isOurs) return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
  throw refused(
    `${file} can be read by others, who may have the token`,
    'revoke that one, remove the file, then postern login with another',
  );
}

/** Whole or not at all; nobody else ever reads a part of it. @throws CommandFailed */
export function keepLogin(env: Env, { url, token, insecureHttp }: Login): void {
  const file = loginFile(env);
  const beside = `${file}.${randomBytes(6).toString('hex')}`;
  const text = JSON.stringify({ url, token, ...(insecureHttp ? { insecure_http: true } : {}) });
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    try {
      writeAnew(beside, `${text}\n`);
      renameSync(beside, file);
    } catch (error) {
      rmSync(beside, { force: true });
      throw error;
    }
  } catch (error) {
    throw refused(`${file} cannot be written (${codeOf(error)})`, 'set XDG_CONFIG_HOME to a folder of yours');
  }
}

function writeAnew(file: string, text: string): void {
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** @returns whether there was one. @throws CommandFailed */
export function forgetLogin(env: Env): boolean {
  const file = loginFile(env);
  try {
    rmSync(file);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw refused(`${file} cannot be removed (${code})`, 'remove it by hand, and revoke the token');
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

function refused(message: string, hint: string): CommandFailed {
  return new CommandFailed(exitCodes.refused, `${message}; ${hint}`);
}
