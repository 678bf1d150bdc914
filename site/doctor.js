// The doctor's page: Python is fetched at once, and asked when somebody presses the button.
const FOLDER = '..//* folder *//';
const FILES = [/* name, bytes */];
const DOCTOR = await (await fetch('doctor.py')).text();
const byId = id => document.getElementById(id);

// A request that was refused. The app was made for this: its secret is known to everybody.
const EXAMPLE = String.raw`curl -X POST 'https://ws.orchard.example/apps/20817/events?auth_key=5f2c9be0d6a41738c0de&auth_timestamp=1760000000&auth_version=1.0&body_md5=7aeaece1bcad82b363f5fdc0ac2310bf&auth_signature=e063e270f71cd3ffd5c421f898f8e8d0dea9c8c1cd40188d4b550da877d2fb8f' \
  -H 'Content-Type: application/json' \
  -d '{"name":"picked","channel":"orchard","data":"{\"crates\":12}"}'
`;
const EXAMPLE_SECRET = 'orchard-lane-7731';

/* shared */

// A mistake's lesson, to be read beside what was pasted.
function linkLessons() {
  for (const lesson of byId('report').querySelectorAll('.mistake .lesson')) {
    const link = make('a', '', lesson.textContent);
    link.href = `../read/${lesson.textContent}.html`;
    link.target = '_blank';
    lesson.replaceWith(link);
  }
}

const say = text => { byId('state').textContent = text; };
const megabytes = bytes => Math.round(bytes / 1e6);

async function prefetch() { // so that the wait has a measure; Pyodide finds them in the cache
  const total = FILES.reduce((sum, [, size]) => sum + size, 0);
  let fetched = 0;
  await Promise.all(FILES.map(async ([name]) => {
    const reader = (await fetch(FOLDER + name)).body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      fetched += value.length;
      say(`The doctor is on its way: ${megabytes(fetched)} of ${megabytes(total)} MB`);
    }
  }));
}

async function start() {
  await prefetch();
  say('The doctor is starting…');
  const { loadPyodide } = await import(FOLDER + 'pyodide.mjs');
  const python = await loadPyodide({ packages: ['pusherkit'] });
  python.runPython(DOCTOR);
  say('The doctor is ready. Ctrl+Enter works, too.');
  return python.globals.get('report');
}

const ready = start();
ready.catch(() => say('The doctor couldn’t be loaded. Check your connection, and reload this page.'));

async function ask() {
  const button = byId('ask'); // not disabled, as that would take the focus from it
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  try {
    const report = await ready;
    const told = JSON.parse(report(byId('pasted').value, byId('secret').value));
    showReport(reportParts(told), told.read_as ? `Read as: ${told.read_as}` : told.unusable ?? '');
    linkLessons();
  } catch (error) {
    console.error(error);
    showReport([make('p', '', 'The doctor couldn’t answer. Reload this page.')], '');
  }
  button.removeAttribute('aria-disabled');
}

byId('ask-form').addEventListener('submit', event => {
  event.preventDefault();
  ask();
});
byId('ask-form').addEventListener('keydown', event => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  ask();
});
byId('example').addEventListener('click', () => {
  byId('pasted').value = EXAMPLE;
  byId('secret').value = EXAMPLE_SECRET;
  ask();
});
