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
