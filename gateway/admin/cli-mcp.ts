/** `postern mcp`: the operators' tools for programs that speak MCP over stdio. What speaks it is loaded only when asked for. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { formatProblem } from '../config/problems.ts';
import {
  CommandFailed,
  collect,
  configOf,
  configOption,
  configProblemsOf,
  exitCodes,
  type Shell,
  understood,
} from './cli-shell.ts';
import { atDesk } from './cli-store.ts';
import type { McpFace } from './mcp-server.ts';
import type { Level, Opened, Room } from './mcp-tool.ts';

type Options = {
  readonly config: string;
  readonly allow: ReadonlySet<Level>;
  readonly attribute: readonly string[];
  readonly secretsTo?: string;
  readonly reveal?: true;
};

const levels: readonly Level[] = ['read', 'propose', 'apply'];
const none: readonly string[] = [];
const manifest = new URL('../../package.json', import.meta.url);

export function addMcp(program: Command, shell: Shell): void {
  program
    .command('mcp')
    .description('speak MCP on stdin and stdout: tools for tokens, pins, probes, the matrix and explain')
    .addOption(configOption())
    .option(
      '--allow <levels>',
      'read, propose, apply: which kinds of tools there are',
      levelsOf,
      new Set(['read']),
    )
    .option(
      '--attribute <name=value>',
      'what tokens belong to, so that no call says it (several)',
      collect,
      none,
    )
    .addOption(new Option('--secrets-to <folder>', 'where new tokens go, a file each').conflicts('reveal'))
    .option('--reveal', 'new tokens stand in the answers, and so in transcripts')
    .action((options: Options) => serve(options, shell));
}

async function serve(options: Options, shell: Shell): Promise<void> {
  // A config that is wrong from the start is told as any command tells it.
  const { policy } = configOf(options.config, shell, 'store');
  const [{ createMcpServer }, { checkOwn }, { ToolRefused }, { StdioServerTransport }] = await Promise.all([
    import('./mcp-server.ts'),
    import('./mcp-token-params.ts'),
    import('./mcp-tool.ts'),
    import('@modelcontextprotocol/sdk/server/stdio.js'),
  ]);
  understood(checkOwn(policy.types, options.attribute));
  const report = (error: unknown) => shell.err(`error: ${lineOf(error)}\n`);
  const room = roomOf(options, shell, (message) => new ToolRefused(message));
  const { version }: { version: string } = JSON.parse(readFileSync(manifest, 'utf8'));
  const face = createMcpServer(room, version, report);
  // Its words may repeat what came.
  face.server.onerror = ({ name }) => shell.err(`a message was not understood (${name})\n`);
  await serveUntilEnd(face, new StdioServerTransport());
}

/** The config is read anew for each call: whoever changed it is understood at once, and no reload is to be sent. */
export function roomOf(options: Options, shell: Shell, refused: (message: string) => Error): Room {
  const { config: file, allow, attribute: own, secretsTo, reveal } = options;
  const by = actor();
  const telling = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw inWords(error, refused);
    }
  };
  return {
    open: (need): Opened =>
      telling(() => {
        const config = configOf(file, shell, need);
        const { policy, triggerKeys } = config;
        return {
          policy,
          triggerKeys,
          atDesk: async (access, work) => {
            try {
              return await atDesk(config, access, shell, work, by);
            } catch (error) {
              throw inWords(error, refused);
            }
          },
        };
      }),
    levels: () => allow,
    own,
    secrets:
      secretsTo !== undefined
        ? { kind: 'folder', folder: resolve(secretsTo) }
        : { kind: reveal === true ? 'reveal' : 'nowhere' },
    now: shell.now,
    commandTail: ['--config', resolve(file)],
    announces: true,
  };
}

function inWords(error: unknown, refused: (message: string) => Error): unknown {
  const problems = configProblemsOf(error);
  if (problems !== null) {
    return refused(
      ['the config has problems; correct them first', ...problems.map(formatProblem)].join('\n'),
    );
  }
  return error instanceof CommandFailed
    ? refused(`${error.message}; nothing was answered by the store`)
    : error;
}

/** Ends with its client, or when told to; calls that were begun have their answers first. */
async function serveUntilEnd({ server, settled }: McpFace, transport: Transport): Promise<void> {
  const ending = new AbortController();
  const { signal } = ending;
  const ended = [
    once(process.stdin, 'end', { signal }),
    once(process.stdin, 'close', { signal }),
    once(process, 'SIGTERM', { signal }),
    once(process, 'SIGINT', { signal }),
    new Promise<void>((done) => {
      server.onclose = done;
    }),
  ];
  await server.connect(transport);
  await Promise.race(ended);
  await settled();
  // The answer to the last call is written by whoever awaits it.
  await new Promise((done) => setImmediate(done));
  for (const end of ended) end.catch(() => {});
  ending.abort();
  await server.close();
  process.stdin.destroy();
}

type Transport = Parameters<McpFace['server']['connect']>[0];

/** Who is answerable for what a program does here. */
function actor(): string {
  try {
    return `mcp:${userInfo().username}`;
  } catch {
    return `mcp:uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

function lineOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message.split('\n', 1)[0]}` : 'not an error';
}

function levelsOf(text: string): ReadonlySet<Level> {
  const words = text.split(',');
  const known = levels.filter((level) => words.includes(level));
  if (known.length === new Set(words).size) return new Set(known);
  throw new CommandFailed(
    exitCodes.usage,
    `"${text}" is not what may be allowed; write read,propose,apply or some of them`,
  );
}
