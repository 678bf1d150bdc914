// Byte-compile what the page's Python imports: node compile.mjs PYODIDE_FOLDER FROM TO
//
// A page would otherwise compile each module again on every visit. It's done by the very Python
// that will read it, Pyodide's own, so no Python of the same version has to be installed.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [pyodide, from, to] = process.argv.slice(2).map(each => resolve(each));
const { loadPyodide } = await import(pathToFileURL(join(pyodide, 'pyodide.mjs')));
const python = await loadPyodide();
python.mountNodeFS('/from', from);
python.mountNodeFS('/to', to);
python.runPython(readFileSync(new URL('compile.py', import.meta.url), 'utf8'));
