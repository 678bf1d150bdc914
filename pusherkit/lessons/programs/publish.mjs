#!/usr/bin/env node
import { createHash, createHmac } from 'node:crypto';

const { PUSHER_APP_ID, PUSHER_KEY, PUSHER_SECRET, PUSHER_HOST } = process.env;
const data = JSON.stringify({ status: 'delivered', to: 'Zoë' });
const body = JSON.stringify({ name: 'status', channel: 'order-41', data });
const path = `/apps/${PUSHER_APP_ID}/events`;
const query = new URLSearchParams({
  auth_key: PUSHER_KEY,
  auth_timestamp: Math.floor(Date.now() / 1000),
  auth_version: '1.0',
  body_md5: createHash('md5').update(body).digest('hex'),
});
query.sort();
const signed = [...query].map(([name, value]) => `${name}=${value}`).join('&');
const text = ['POST', path, signed].join('\n');
query.set('auth_signature', createHmac('sha256', PUSHER_SECRET).update(text).digest('hex'));

const headers = { 'Content-Type': 'application/json' };
const answer = await fetch(`${PUSHER_HOST}${path}?${query}`, { method: 'POST', headers, body });
console.log(answer.status, await answer.text());
