/** The walk's way through a body: its size, its bytes where the row reads them, and the pins it names. */
import { checkEncoding, readBody } from '../policy/body.ts';
import type { BodyRule, PinEvidence, PinOwed, Reading } from '../policy/body-types.ts';
import { judgePin, type PinVerdict, presentedFor, sentId, watchPin } from '../policy/bundle-pin.ts';
import type { Trace } from '../policy/decide.ts';
import { denial } from '../policy/denial.ts';
import { type JsonCut, JsonScanner } from '../policy/json-scan.ts';
import type { Claim, Denial, DenialCode, Outcome, Route } from '../policy/types.ts';
import type { PinKey } from '../store/pin-store.ts';
import { fieldValues, framingOf, type Head } from './head.ts';
import { nominatedBy } from './headers.ts';
import type { Rooms } from './walk.ts';

/** `bytes` null: the row does not read its body, which is still on its way. */
export type TakenBody =
  | { readonly bytes: Uint8Array; readonly reading: Reading }
  | { readonly bytes: null; readonly reading: null };

const streaming: Outcome<TakenBody> = { ok: true, value: { bytes: null, reading: null } };

/** `{}`: what no body stands for, where a row lets it. */
const noMembers: Uint8Array = new Uint8Array([0x7b, 0x7d]);

/** Others have their turn after so much of a scan: a few ms. */
const scanStepBytes = 512 * 1024;

/**
 * Refuses what is too long by its own words, and reads and scans what the row reads.
 *
 * @throws BodiesFull; CallerLeft
 */
export function takeBody(
  head: Head,
  { match, body }: Claim,
  rooms: Rooms,
  trace?: Trace,
): Outcome<TakenBody> | Promise<Outcome<TakenBody>> {
  const { route } = match;
  const isEmpty = body?.mayBeEmpty === true && !framingOf(head.rawHeaders).hasBody;
  if (isEmpty) return scan(noMembers, body);
  const refused = bodyOver(head, route) ?? (body === null ? null : bodyUnreadable(head));
  if (refused !== null || body === null) {
    trace?.('body', refused === null, refused?.reason ?? 'within the cap');
    return refused === null ? streaming : { ok: false, denial: refused };
  }
  return readWhole(route, body, rooms, trace);
}

async function readWhole(
  route: Route,
  rule: BodyRule,
  rooms: Rooms,
  trace?: Trace,
): Promise<Outcome<TakenBody>> {
  const arrived = await rooms.body(route, rule);
  const isEmpty = arrived.ok && arrived.value.length === 0 && rule.mayBeEmpty === true;
  const taken = arrived.ok ? await scan(isEmpty ? noMembers : arrived.value, rule) : arrived;
  trace?.('body', taken.ok, taken.ok ? `${taken.value.bytes?.length} bytes of JSON` : taken.denial.reason);
  return taken;
}

async function scan(bytes: Uint8Array, rule: BodyRule): Promise<Outcome<TakenBody>> {
  const scanner = new JsonScanner(bytes, rule.query);
  let result = scanner.step(scanStepBytes);
  while (result === null) {
    await new Promise((resolve) => setImmediate(resolve));
    result = scanner.step(scanStepBytes);
  }
  const reading = readBody(rule, result);
  return reading.ok ? { ok: true, value: { bytes, reading: reading.value } } : reading;
}

const noCuts: readonly JsonCut[] = [];

/** What must not go on of the body. */
export function cutsOf({ body }: Route, reading: Reading | null, trace?: Trace): readonly JsonCut[] {
  const cuts = reading?.cuts ?? noCuts;
  if (trace === undefined || body?.cut === undefined) return cuts;
  const words = cuts.map(({ pointer, from, to }) => `json:${pointer} is cut out, ${to - from} bytes`);
  trace('cut', true, words.join(', ') || 'nothing is there to cut out: the body goes on as it came');
  return cuts;
}

/** A body whose length is known is refused before a byte of it is forwarded. */
function bodyOver(head: Head, route: Route): Denial | null {
  const { bytes } = framingOf(head.rawHeaders);
  if (route.bodyBytesMax === null || bytes === null || bytes <= route.bodyBytesMax) return null;
  return denial('body_too_large', `${bytes} bytes, ${route.bodyBytesMax} are allowed`);
}

/** What the head alone shows, before a byte is read. */
function bodyUnreadable({ rawHeaders }: Head): Denial | null {
  if (!framingOf(rawHeaders).hasBody) return denial('body_malformed', 'the body is empty');
  const encoding = checkEncoding(
    passedOn(rawHeaders, 'content-type'),
    fieldValues(rawHeaders, 'content-encoding'),
  );
  return encoding.ok ? null : encoding.denial;
}

/** What the pins of a claim say, and what was passed over because a pin only watches. */
export type AskedPins = {
  readonly evidence: readonly PinEvidence[];
  readonly monitored: readonly DenialCode[];
  /** The first id that was sent, right or wrong; null: none was. */
  readonly sent: string | null;
};

type Asked = { readonly owed: PinOwed; readonly verdict: PinVerdict; readonly pinned: string | null };

/**
 * Asks every pin of the claim, and pins at first use once none has said no. The last question of a walk: a
 * request that anything else refuses pins nothing.
 *
 * @throws StoreFault
 */
export async function askPins(
  head: Head,
  claim: Claim,
  reading: Reading | null,
  rooms: Rooms,
  trace?: Trace,
): Promise<Outcome<AskedPins>> {
  const monitored: DenialCode[] = [];
  /** What a pin's no comes to: evidence all the same while it only watches, else the refusal. */
  const passOver = ({ pin }: PinOwed, no: Denial, watching: PinEvidence | null) => {
    trace?.(
      `pin ${pin.name}`,
      watching !== null,
      watching === null ? no.reason : `would refuse: ${no.reason}`,
    );
    if (watching !== null) monitored.push(no.code);
    return watching;
  };
  const asked: Asked[] = [];
  const evidence: PinEvidence[] = [];
  let sent: string | null = null;
  for (const owed of claim.pins) {
    const key = keyOf(owed);
    const record = key === null ? null : await rooms.pins.read(key);
    const pinned = record?.value ?? null;
    const said = presented(head, owed, reading);
    sent ??= sentId(said);
    const verdict = judgePin(owed, said, pinned);
    asked.push({ owed, verdict, pinned });
    if (verdict.kind === 'no' && watchPin(owed, pinned, rooms.now()) === null) {
      passOver(owed, verdict.denial, null);
      return { ok: false, denial: verdict.denial };
    }
  }
  for (const { owed, verdict, pinned } of asked) {
    const last =
      verdict.kind === 'first' ? await pinFirst(head, claim, reading, owed, verdict.id, rooms) : verdict;
    if (last.kind === 'first') throw new Error('what was pinned first is not pinned');
    if (last.kind === 'no') {
      const watching = passOver(owed, last.denial, watchPin(owed, pinned, rooms.now()));
      if (watching === null) return { ok: false, denial: last.denial };
      evidence.push(watching);
      continue;
    }
    const detail = verdict.kind === 'first' ? 'first use: pinned by this request' : last.detail;
    trace?.(`pin ${owed.pin.name}`, true, detail);
    evidence.push(last.evidence);
  }
  return { ok: true, value: { evidence, monitored, sent } };
}

/** Another request may have been first: what the store says then is what is judged. */
async function pinFirst(
  head: Head,
  { token }: Claim,
  reading: Reading | null,
  owed: PinOwed,
  id: string,
  rooms: Rooms,
): Promise<PinVerdict> {
  const key = keyOf(owed);
  if (key === null || token === null) throw new Error('a pin of nobody');
  const { pin, isFirst } = await rooms.pins.pinFirst(key, id, token.id);
  return judgePin(owed, presented(head, owed, reading), pin.value, isFirst);
}

function presented(head: Head, { pin }: PinOwed, reading: Reading | null) {
  return presentedFor(pin, reading, (name) => passedOn(head.rawHeaders, name));
}

/** What the upstream will read of a field: of one that Connection names, nothing (RFC 9110 §7.6.1). */
function passedOn(rawHeaders: readonly string[], lowerName: string): readonly string[] {
  return nominatedBy(rawHeaders)?.has(lowerName) ? [] : fieldValues(rawHeaders, lowerName);
}

function keyOf({ pin, subject }: PinOwed): PinKey | null {
  return subject === null ? null : { pin: pin.name, subject };
}
