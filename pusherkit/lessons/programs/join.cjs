#!/usr/bin/env node
// A page, as far as the server can tell: npm's pusher-js joins a channel. No secret in here.
const { key, host, port, endpoint, session, channel } = JSON.parse(process.argv[2]);
const Pusher = require('pusher-js');
const { version } = require('pusher-js/package.json');

const pusher = new Pusher(key, {
  cluster: '', // a server of our own has none
  wsHost: host,
  wsPort: port,
  forceTLS: false,
  enabledTransports: ['ws'],
  channelAuthorization: { endpoint, headers: { 'X-Session': session } },
});

const tell = (said, data) => console.log(JSON.stringify({ said, data, version }));
pusher.subscribe(channel).bind_global((event, data) => {
  if (event === 'pusher:subscription_succeeded') tell('joined');
  else if (event === 'pusher:subscription_error') tell('refused', data);
  else tell('event', data);
});
pusher.connection.bind('error', (error) => tell('refused', error.data ?? error));
process.stdin.resume().on('close', () => process.exit());
