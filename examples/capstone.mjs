#!/usr/bin/env node
// The capstone of `pusherkit clinic`, with Node (18 or newer) and nothing else.
// Run all of it, or the goals that you name: node capstone.mjs vectors event
import { createHash, createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const { PUSHER_APP_ID: APP_ID, PUSHER_KEY: KEY } = process.env;
const { PUSHER_SECRET: SECRET, PUSHER_HOST: HOST } = process.env;
const EVENTS = `/apps/${APP_ID}/events`;
const BATCH = `/apps/${APP_ID}/batch_events`;

// --- signing and sending -------------------------------------------------------------------------

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const signature = (text, secret = SECRET) =>
  createHmac('sha256', secret).update(text).digest('hex');

// Sign a request with the time it is now, and send it.
async function send(method, path, own = [], body = '') {
  const params = [
    ...own,
    ['auth_key', KEY],
    ['auth_timestamp', String(Math.floor(Date.now() / 1000))],
    ['auth_version', '1.0'],
  ];
  if (body) params.push(['body_md5', createHash('md5').update(body).digest('hex')]);
  const ordered = params.map(([name, value]) => [name.toLowerCase(), value]);
  ordered.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const query = ordered.map(([name, value]) => `${name}=${value}`).join('&');
  params.push(['auth_signature', signature([method, path, query].join('\n'))]);
  const options = { method, signal: AbortSignal.timeout(10_000) };
  if (body) Object.assign(options, { body, headers: { 'Content-Type': 'application/json' } });
  return fetch(`${HOST}${path}?${new URLSearchParams(params)}`, options);
}

// Send JSON; wait and try again if the server says so, five times at most.
async function post(path, value) {
  const body = JSON.stringify(value);
  let answer;
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    answer = await send('POST', path, [], body);
    if (answer.status !== 429) break;
    if (attempt < 5) await sleep(1000 * Number(answer.headers.get('Retry-After')));
  }
  if (!answer.ok) console.error(path, answer.status, await answer.text());
  return answer.status;
}

const publish = (channel, name, data) =>
  post(EVENTS, { name, channel, data: JSON.stringify(data) });

// One of the clinic's own pages; they need no signature.
const clinic = async (page) => (await fetch(`${HOST}/clinic${page}`)).text();

// --- the goals -----------------------------------------------------------------------------------

const goals = {
  async vectors() {
    for (const { method, path, params, body } of JSON.parse(await clinic('.json')).vectors) {
      await send(method, path, params, body);
    }
  },
  async event() {
    await publish('order-41', 'status', { status: 'Zażółć ☕' });
  },
  async get() {
    const params = [['info', 'user_count,subscription_count']];
    await send('GET', `/apps/${APP_ID}/channels/presence-couriers`, params);
  },
  async batch() {
    const orders = ['order-41', 'order-42'];
    const batch = orders.map((channel) => ({ channel, name: 'status', data: 'delayed' }));
    await post(BATCH, { batch });
  },
  async wait() {
    await publish('friday', 'status', 'delayed');
  },
  async 'give-up'() {
    const status = await publish('shut', 'status', 'delayed');
    if (status === 429) await publish('news', 'gave-up', 'shut');
  },
  async private() {
    const socketId = await clinic('/socket_id');
    const auth = `${KEY}:${signature(`${socketId}:private-order-41`)}`;
    await publish('clinic', 'auth', { auth });
  },
  async fault() {
    const text = await clinic('/broken/canonical_string');
    const sent = await clinic('/broken/auth_signature');
    const wrong = {
      'hash-of-secret-and-string': sha256(SECRET + text),
      'key-and-message-swapped': signature(SECRET, text),
      'method-in-lower-case': signature(text.replace('POST', 'post')),
      'newline-at-the-end': signature(`${text}\n`),
      'newline-written-out': signature(text.replaceAll('\n', '\\n')),
      'secret-with-newline': signature(text, `${SECRET}\n`),
    };
    const cause = Object.keys(wrong).find((name) => wrong[name] === sent);
    if (cause) await publish('clinic', 'cause', { cause });
  },
  async report() {
    const fingerprint = await clinic('/fingerprint');
    await publish('clinic', 'report', { fingerprint, by: 'Node' });
  },
};

const asked = process.argv.slice(2);
for (const goal of asked.length ? asked : Object.keys(goals)) await goals[goal]();
