// The doctor's page: Python is fetched at once, and asked when somebody presses the button.
const FOLDER = '..//* folder *//';
const FILES = [/* name, bytes */];
const DOCTOR = await (await fetch('doctor.py')).text();
const byId = id => document.getElementById(id);

// What `curl -v` showed of a refusal. The app was made for this: its secret is known to everybody.
const EXAMPLE = `> POST /apps/20817/events?auth_key=5f2c9be0d6a41738c0de&auth_timestamp=1760000000&auth_version=1.0&body_md5=d857c8f2206dd8ba30243b53f64108c8&auth_signature=21479d44ad7e169a90fe2ebdff3306bc9a8008822d65370e269c67d7159aa0d7 HTTP/1.1
> Host: ws.orchard.example
> User-Agent: curl/8.9.1
> Content-Length: 72
>
* upload completely sent off: 72 bytes
< HTTP/1.1 401 Unauthorized
`;
const EXAMPLE_SECRET = 'orchard-lane-7731';

/* shared */

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
