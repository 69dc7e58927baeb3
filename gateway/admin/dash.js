/** All the script the dashboard has: copying, and one click that counts once. Everything else works without it. */
for (const button of document.querySelectorAll('button[data-copy]')) {
  const words = [...button.childNodes];
  button.hidden = false;
  button.addEventListener('click', async () => {
    const source = document.getElementById(button.dataset.copy);
    if (source === null) return;
    button.textContent = (await copied(source)) ? button.dataset.done : 'Press Ctrl+C';
    button.setAttribute('aria-live', 'polite');
    setTimeout(() => {
      button.replaceChildren(...words);
    }, 2000);
  });
}

/** Without https a page gets no clipboard, but what is selected can be copied. */
async function copied(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return document.execCommand('copy');
  }
}

for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent === 'yes') event.preventDefault();
    form.dataset.sent = 'yes';
  });
}

addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});

const live = document.getElementById('live');
if (live !== null) watchLive(live);

/** Shows decisions as they come: text only, the last 200, and those of a pause when it is over. */
function watchLive(list) {
  const linesMax = 200;
  const tellEveryMs = 15_000;
  const state = document.getElementById('live-state');
  const pause = document.getElementById('live-pause');
  let waiting = [];
  let isPaused = false;
  let isDue = false;
  let toldMs = 0;
  const seen = { all: 0, refused: 0, lost: 0 };

  /** What a reader hears: at once where something changed, and else now and then. */
  const tell = (words) => {
    toldMs = performance.now();
    state.textContent = words;
  };
  const summary = () => (seen.all === 0 ? 'Listening.' : figures());
  const figures = () =>
    `Listening. ${seen.all.toLocaleString('en')} ${seen.all === 1 ? 'decision' : 'decisions'}, ${seen.refused.toLocaleString('en')} of them refused or failed${
      seen.lost === 0 ? '' : `; ${seen.lost.toLocaleString('en')} more came too fast to be shown`
    }.`;
  const show = () => {
    isDue = false;
    if (isPaused || waiting.length === 0) return;
    list.prepend(...waiting.reverse().map((one) => lineOf(one, list.dataset.tokens === 'linked')));
    waiting = [];
    while (list.children.length > linesMax) list.lastElementChild.remove();
    if (performance.now() - toldMs > tellEveryMs) tell(summary());
  };

  const source = new EventSource(list.dataset.stream);
  source.addEventListener('open', () => tell(isPaused ? 'Paused.' : summary()));
  source.addEventListener('decision', ({ data }) => {
    const decision = JSON.parse(data);
    seen.all++;
    if (decision.code !== null || decision.status >= 500) seen.refused++;
    waiting.push(decision);
    if (waiting.length > linesMax) waiting.shift();
    if (!isDue && !isPaused) requestAnimationFrame(show);
    isDue = true;
  });
  source.addEventListener('lost', ({ data }) => {
    seen.lost += JSON.parse(data).lost;
  });
  source.addEventListener('end', () => tell('The gateway stops. This page listens again when it is back.'));
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) {
      tell('It is over: the session ended, or as many read as may. Load the page again.');
    } else tell('The connection is lost; trying again.');
  });
  addEventListener('pagehide', () => source.close());
  addEventListener('pageshow', ({ persisted }) => {
    if (persisted) location.reload();
  });

  list.hidden = false;
  pause.parentElement.hidden = false;
  pause.addEventListener('click', () => {
    isPaused = !isPaused;
    pause.setAttribute('aria-pressed', String(isPaused));
    pause.textContent = isPaused ? 'Go on' : 'Pause';
    tell(isPaused ? 'Paused. What comes meanwhile is shown after.' : summary());
    if (!isPaused) show();
  });
}

function lineOf(
  { at, method, row, status, code, reason, token_id: token, address, duration_ms: ms },
  isLinked,
) {
  const line = document.createElement('li');
  line.className = `decision ${status >= 500 || status === 0 ? 'failed' : code !== null ? 'refused' : 'passed'}`;
  const add = (parent, name, text, kind) => {
    const element = document.createElement(name);
    element.textContent = text;
    if (kind !== undefined) element.className = kind;
    parent.append(element, ' ');
    return element;
  };
  add(line, 'time', at.slice(11, 19)).dateTime = at;
  add(line, 'span', `${status === 0 ? 'cut' : status}`, 'status');
  add(line, 'code', row ?? `${method}, no row`, 'row');
  const who = add(line, 'span', '', 'by');
  if (token === null) add(who, 'span', 'no token', 'dim');
  else if (isLinked) add(who, 'a', token).href = `/tokens/${encodeURIComponent(token)}`;
  else add(who, 'code', token);
  add(who, 'span', `${address}, ${Math.round(ms * 10) / 10} ms`, 'dim');
  if (code !== null) add(line, 'span', reason === null ? code : `${code}: ${reason}`, 'why');
  return line;
}
