/** The page after a token was made: its text, this once, and how to see it work. */
import { html } from 'hono/html';
import { adminTypeName } from '../../policy/admin-type.ts';
import { hiddenValue } from '../../policy/secret-attributes.ts';
import { type CurlLine, curlFor, quoted } from './dash-curl.ts';
import type { Html, Made, Shown, Visit } from './dash-page.ts';
import { copyButton, notice } from './dash-parts.ts';

/** @param made what it is called: `Token made`. @param more what else there is to know; null: nothing. */
export function madePage(title: string, made: Made, visit: Visit, more: Html | null): Shown {
  const { record, plaintext } = made;
  const body = html`<div class="narrow">
<h1>${title}</h1>
<p class="lead">“${record.label}”, of type ${record.type}.</p>
${plaintext === null ? gone() : secret(made, plaintext, visit)}
${more ?? ''}
<div class="actions"><a class="button plain" href="/tokens/${record.id}">To the token</a><a class="button quiet" href="/tokens">All tokens</a></div>
</div>`;
  return { title, body, status: plaintext === null ? 200 : 201 };
}

function gone(): Html {
  return notice(
    'plain',
    html`<p>This was done already, and the token’s text was shown then. It is kept nowhere. If you do not have it, rotate the token and take the new one.</p>`,
  );
}

function secret({ record, isNew }: Made, plaintext: string, visit: Visit): Html {
  const line =
    record.type === adminTypeName
      ? adminLine(plaintext, visit)
      : gateLine(plaintext, record, isNew === true, visit);
  return html`<section class="secret" aria-label="The new token">
${notice('good', html`<p><strong>Copy it now.</strong> It is shown this once, and kept nowhere.</p>`)}
<div class="copyable"><code id="made" class="whole">${plaintext}</code>${copyButton('made', 'the token')}</div>
</section>
${line === null ? html`<p class="hint">${noRow(record, visit)}</p>` : tryIt(line)}`;
}

function noRow({ type, scopes }: Made['record'], { config }: Visit): string {
  const known = config.policy.types.get(type)?.scopes;
  const isBare =
    scopes.length === 0 && known !== undefined && 'grantable' in known && known.grantable.length > 0;
  return `No row of the config takes it yet${isBare ? ': it holds no scope. Edit gives it some' : ''}.`;
}

/** @param knowsSecrets a new token's maker gave it its attributes; those of a successor are another's. */
function gateLine(
  plaintext: string,
  record: Made['record'],
  knowsSecrets: boolean,
  { config, gate }: Visit,
): CurlLine | null {
  return curlFor(config.policy, { record, token: plaintext, gate, knowsSecrets });
}

function adminLine(plaintext: string, { here }: Visit): CurlLine {
  const line = `curl -i -H ${quoted(`Authorization: Bearer ${plaintext}`)} ${quoted(`${here}/v1/whoami`)}`;
  return { row: 'GET /v1/whoami', line, lacks: null };
}

function tryIt({ row, line, lacks }: CurlLine): Html {
  return html`<section aria-labelledby="try"><h2 id="try">See it work</h2>
<p class="hint">Asks ${row}. Behind a proxy, write your own address in its place.${lacks === null ? '' : html` Write the value of <code>${lacks}</code> in place of <code>${hiddenValue}</code>: it is a secret, and whoever holds the token has it.`}</p>
<div class="copyable"><code id="curl" class="whole">${line}</code>${copyButton('curl', 'the curl line')}</div>
</section>`;
}
