// In JupyterLab's page: fetch Python early, say how far it is, and let the lesson be read meanwhile.
//
// Python's own requests come later, and find these files in the browser's cache.
'use strict';
{
  const FILES = [/* name, bytes */];
  const FOLDER = '/* folder */';
  const READY_SECONDS = 6; // that the last sentence stays
  const LOOK_MILLISECONDS = 200; // between two looks at what JupyterLab does
  const root = new URL('..', document.currentScript.src);
  const lesson = new URLSearchParams(location.search).get('path') || '';

  const line = document.createElement('p');
  line.setAttribute('role', 'status');
  line.id = 'pusherkit-loading';
  line.style.cssText = 'position:fixed;z-index:20000;bottom:14px;left:50%;margin:0;'
    + 'transform:translateX(-50%);max-width:calc(100vw - 24px);padding:7px 16px;'
    + 'border-radius:20px;font:600 14px/1.4 system-ui,sans-serif;color:#fff;background:#1a56b0;'
    + 'box-shadow:0 2px 10px rgb(0 0 0/35%);font-variant-numeric:tabular-nums;text-align:center';
  const say = text => { if (line.textContent !== text) line.textContent = text; };

  let frame = null;
  const reading = () => {
    if (!/^\d\d-[\w-]+\.ipynb$/.test(lesson)) return;
    frame = document.createElement('iframe');
    frame.src = new URL(`read/${lesson.replace('.ipynb', '.html')}?framed`, root);
    frame.title = 'The lesson, to read while it loads';
    frame.style.cssText = 'position:fixed;z-index:19999;inset:0;width:100%;height:100%;border:0;'
      + 'background:Canvas;color-scheme:light dark';
    frame.onload = () => frame && frame.contentDocument.body.classList.add('framed');
    document.body.append(frame);
  };
  const close = () => { if (frame) { frame.remove(); frame = null; } };
  const isRead = () => frame && frame.contentWindow && frame.contentWindow.scrollY > 40;

  const total = FILES.reduce((sum, [, size]) => sum + size, 0);
  // The browser has them already: fetching them again would only take the processor's time.
  const HAVE = 'pusherkit-python';
  let fetched = localStorage.getItem(HAVE) === FOLDER ? total : 0;
  const fetchOne = async ([name]) => {
    const answer = await fetch(new URL(FOLDER + '/' + name, root), { priority: 'low' });
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      fetched += value.length;
    }
  };

  const megabytes = bytes => Math.round(bytes / 1e6);
  const kernel = () => {
    const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
    const session = panel && panel.sessionContext && panel.sessionContext.session;
    return session && session.kernel ? session.kernel.status : '';
  };
  const drawn = () => document.querySelector('.jp-NotebookPanel h1');
  const began = Date.now();
  const look = () => {
    if (frame && drawn()) {
      if (!isRead()) close();
      else if (!line.querySelector('button')) {
        const button = document.createElement('button');
        button.textContent = 'The lesson is ready: switch to it';
        button.style.cssText = 'font:inherit;color:inherit;background:none;border:0;'
          + 'text-decoration:underline;cursor:pointer';
        button.onclick = () => { close(); };
        line.replaceChildren(button);
      }
    }
    if (frame && drawn()) return;
    const status = kernel();
    if (status === 'idle' || status === 'busy') {
      clearInterval(looking);
      say('Python is ready. Click the first cell and press Ctrl+Enter.');
      setTimeout(() => line.remove(), READY_SECONDS * 1000);
    } else if (fetched < total) {
      say(`Python is loading: ${megabytes(fetched)} of ${megabytes(total)} MB. `
        + 'You can start reading.');
    } else {
      say(`Python is starting… ${Math.round((Date.now() - began) / 1000)} s. `
        + 'You can start reading.');
    }
  };
  const failed = () => {
    clearInterval(looking);
    say('Python couldn’t be loaded. Check your connection, and reload this page.');
  };
  let looking = 0;
  document.addEventListener('DOMContentLoaded', () => {
    reading();
    document.body.append(line);
    look();
    looking = setInterval(look, LOOK_MILLISECONDS);
    if (fetched < total)
      Promise.all(FILES.map(fetchOne)).then(() => localStorage.setItem(HAVE, FOLDER), failed);
  });
}
