/** `postern scan`: carries what files, stdin and histories hold to the finder and the judge, and keeps the account. */
import { CommandFailed } from './cli-shell.ts';
import type { FindCandidates } from './scan-candidates.ts';
import { codeOf, type Excludes, folderOf, readFile, walk } from './scan-files.ts';
import { type GitEnv, gitObjects, type Origin, openRepository, originsOf } from './scan-git.ts';
import type { Judge, Judged } from './scan-judge.ts';
import { type Place, TextScan } from './scan-text.ts';

/** Where a token stands. */
export type Spot = {
  /** `name`: in the name of the file itself; `commit` and `tag`: in what was written about one. */
  readonly where: 'file' | 'stdin' | 'name' | 'history' | 'commit' | 'tag';
  /** Tokens in it are blotted out. In a history, from the root of the repository; null: nowhere. */
  readonly path: string | null;
  /** From 1; null: in a name. */
  readonly line: number | null;
  /** From 1, in bytes. */
  readonly column: number | null;
  /** The first that brought it in, or the tag; null: not of a history, or of none of its commits. */
  readonly commit: string | null;
  /** When the commit was written, as its author's clock had it (RFC 3339). */
  readonly date: string | null;
};

export type Finding = Judged & Spot;

export type Tally = {
  files: number;
  objects: number;
  bytes: number;
  unverified: number;
  readonly skipped: { binary: number; large: number; excluded: number; link: number; special: number };
};

export type ScanOptions = {
  readonly find: FindCandidates;
  readonly judge: Judge;
  readonly excludes: Excludes;
  /** What is longer is skipped, and counted. */
  readonly maxBytes: number;
  readonly env: GitEnv;
  /** Called often. */
  readonly onProgress: () => void;
};

/** A finding of a history whose commit is still to be looked for. */
type Found = {
  readonly judged: Judged;
  readonly object: string;
  readonly type: string;
  readonly place: Place;
};

export class Scan {
  readonly findings: Finding[] = [];
  /** What could not be read or is not there, and why: without these, "nothing was found" says less. */
  readonly problems: string[] = [];
  readonly tally: Tally = {
    files: 0,
    objects: 0,
    bytes: 0,
    unverified: 0,
    skipped: { binary: 0, large: 0, excluded: 0, link: 0, special: 0 },
  };
  readonly #options: ScanOptions;
  readonly #histories = new Set<string>();

  constructor(options: ScanOptions) {
    this.#options = options;
  }

  /** Everything at a path and under it. */
  async files(root: string): Promise<void> {
    for (const entry of walk(root, this.#options.excludes)) {
      if (entry.kind === 'skipped') this.tally.skipped[entry.why]++;
      else if (entry.kind === 'unreadable') await this.#unreadable(entry.path, entry.code);
      else {
        if (entry.path !== root) await this.#name(entry.path);
        if (entry.kind === 'file') await this.#file(entry.path, entry.path === root);
      }
    }
  }

  async stdin(stream: AsyncIterable<Buffer>): Promise<void> {
    const text = new TextScan(this.#options.find);
    this.tally.files++;
    for await (const piece of stream) await this.#keep(this.#pieceOf(text, piece), 'stdin', null);
    await this.#keep(text.end(), 'stdin', null);
    if (text.isBinary) this.tally.skipped.binary++;
  }

  /** Every object of the repository that a path is in; of one that was read already, nothing. What goes wrong is a problem. */
  async history(path: string): Promise<void> {
    const folder = folderOf(path);
    const found: Found[] = [];
    try {
      await this.#objects(folder, found);
    } catch (error) {
      this.#failed(error);
    }
    await this.#tellHistory(folder, found);
  }

  async #objects(path: string, found: Found[]): Promise<void> {
    const { env, maxBytes, find } = this.#options;
    const { folder, isShallow } = await openRepository(path, env);
    if (this.#histories.has(folder)) return;
    this.#histories.add(folder);
    if (isShallow) {
      this.problems.push(`${path} has only the latest part of its history; git fetch --unshallow`);
    }
    let missing = 0;
    let object = { type: '', name: '' };
    let text = new TextScan(find);
    for await (const event of gitObjects(path, env, maxBytes)) {
      if (event.kind === 'missing') missing++;
      else if (event.kind === 'large') this.tally.skipped.large++;
      else if (event.kind === 'object') {
        object = event;
        text = new TextScan(find);
        this.tally.objects++;
      } else {
        const places = event.kind === 'end' ? text.end() : this.#pieceOf(text, event.piece);
        for (const place of places) {
          const judged = await this.#judged(place);
          if (judged !== null) found.push({ judged, object: object.name, type: object.type, place });
        }
        if (event.kind === 'end' && text.isBinary) this.tally.skipped.binary++;
      }
    }
    if (missing > 0) {
      this.problems.push(
        `${path} lacks ${missing} objects of its history; git fetch --refetch, or scan a whole clone`,
      );
    }
  }

  async #tellHistory(path: string, found: readonly Found[]): Promise<void> {
    const objects = new Set(found.map(({ object }) => object));
    const origins = await originsOf(path, this.#options.env, objects).catch((error) => this.#failed(error));
    for (const { judged, object, type, place } of found) {
      const { line, column } = place;
      const origin: Partial<Origin> = origins?.get(object) ?? {};
      const { date = null, commit = null } = origin;
      if (type === 'blob') {
        const file = origin.path === undefined ? null : await this.#clean(origin.path);
        this.findings.push({ ...judged, where: 'history', path: file, line, column, commit, date });
      } else {
        const where = type === 'tag' ? 'tag' : 'commit';
        this.findings.push({ ...judged, where, path: null, line, column, commit: object, date });
      }
    }
  }

  /** What was found before it went wrong is told all the same. */
  #failed(error: unknown): null {
    if (!(error instanceof CommandFailed)) throw error;
    this.problems.push(error.message);
    return null;
  }

  async #file(path: string, isNamed: boolean): Promise<void> {
    const { maxBytes, find } = this.#options;
    const text = new TextScan(find);
    try {
      const end = await readFile(path, { maxBytes, isNamed }, async (piece) => {
        await this.#keep(this.#pieceOf(text, piece), 'file', path);
        return !text.isBinary;
      });
      if (end === 'large') {
        this.tally.skipped.large++;
        return;
      }
    } catch (error) {
      return this.#unreadable(path, codeOf(error));
    }
    await this.#keep(text.end(), 'file', path);
    this.tally.files++;
    if (text.isBinary) this.tally.skipped.binary++;
  }

  #pieceOf(text: TextScan, piece: Buffer): readonly Place[] {
    this.tally.bytes += piece.length;
    this.#options.onProgress();
    return text.push(piece);
  }

  async #keep(places: readonly Place[], where: 'file' | 'stdin', path: string | null): Promise<void> {
    for (const place of places) {
      const judged = await this.#judged(place);
      if (judged === null) continue;
      const { line, column } = place;
      const clean = path === null ? null : await this.#clean(path);
      this.findings.push({ ...judged, where, path: clean, line, column, commit: null, date: null });
    }
  }

  async #judged(place: Place): Promise<Judged | null> {
    const { judged, hidden } = await this.#options.judge.judge(place);
    if (judged === null && hidden !== null) this.tally.unverified++;
    return judged;
  }

  /** A token may be a file's name. */
  async #name(path: string): Promise<void> {
    const from = path.lastIndexOf('/') + 1;
    for (const candidate of this.#options.find(path, 0, path.length)) {
      if (candidate.start < from) continue;
      const { judged } = await this.#options.judge.judge(candidate);
      if (judged === null) continue;
      const spot = { path: await this.#clean(path), line: null, column: null, commit: null, date: null };
      this.findings.push({ ...judged, where: 'name', ...spot });
    }
  }

  async #unreadable(path: string, code: string): Promise<void> {
    const remedy =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'scan as a user who may'
          : 'look at it by hand';
    this.problems.push(`cannot read ${await this.#clean(path)} (${code}); ${remedy}`);
  }

  /** What is or may be a token stands in no output, not even as the name of a file. */
  async #clean(path: string): Promise<string> {
    let text = '';
    let at = 0;
    for (const candidate of this.#options.find(path, 0, path.length)) {
      const { hidden } = await this.#options.judge.judge(candidate);
      if (hidden === null || candidate.start < at) continue;
      text += `${path.slice(at, candidate.start)}[${hidden.type.name}]`;
      at = hidden.end;
    }
    return text + path.slice(at);
  }
}
