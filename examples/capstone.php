#!/usr/bin/env php
<?php
// The capstone of `pusherkit clinic`, with PHP 8 and no extension.
// Run all of it, or the goals that you name: php capstone.php vectors event

[$appId, $key, $secret, $host] = array_map(
    fn ($name) => getenv("PUSHER_$name") ?: throw new Exception("PUSHER_$name is not set"),
    ['APP_ID', 'KEY', 'SECRET', 'HOST'],
);
define('APP_ID', $appId);
define('KEY', $key);
define('SECRET', $secret);
define('HOST', $host);
define('EVENTS', "/apps/$appId/events");
define('BATCH', "/apps/$appId/batch_events");

// --- signing and sending -------------------------------------------------------------------------

function signature(string $text, string $secret = SECRET): string
{
    return hash_hmac('sha256', $text, $secret);
}

/** Sign a request with the time it is now, send it, and return status, Retry-After and text. */
function send(string $method, string $path, array $params = [], string $body = ''): array
{
    $params[] = ['auth_key', KEY];
    $params[] = ['auth_timestamp', (string) time()];
    $params[] = ['auth_version', '1.0'];
    if ($body !== '') {
        $params[] = ['body_md5', md5($body)];
    }
    $ordered = array_map(fn ($pair) => [strtolower($pair[0]), $pair[1]], $params);
    usort($ordered, fn ($a, $b) => strcmp($a[0], $b[0]));
    $query = implode('&', array_map(fn ($pair) => "$pair[0]=$pair[1]", $ordered));
    $params[] = ['auth_signature', signature(implode("\n", [$method, $path, $query]))];
    $sent = array_map(fn ($pair) => implode('=', array_map('rawurlencode', $pair)), $params);
    $http = ['method' => $method, 'ignore_errors' => true, 'timeout' => 10];
    if ($body !== '') {
        $http += ['content' => $body, 'header' => 'Content-Type: application/json'];
    }
    $url = HOST . $path . '?' . implode('&', $sent);
    $text = file_get_contents($url, false, stream_context_create(['http' => $http]));
    $status = (int) explode(' ', $http_response_header[0])[1];
    $wait = preg_grep('/^Retry-After:/i', $http_response_header);
    return [$status, $wait ? (int) explode(':', reset($wait))[1] : 0, $text];
}

/** Send JSON; wait and try again if the server says so, five times at most. */
function post(string $path, array $value): int
{
    $body = json_encode($value, JSON_UNESCAPED_UNICODE);
    for ($attempt = 1; $attempt <= 5; $attempt++) {
        [$status, $wait, $text] = send('POST', $path, [], $body);
        if ($status !== 429) {
            break;
        }
        if ($attempt < 5) {
            sleep($wait);
        }
    }
    if ($status !== 200) {
        fwrite(STDERR, "$path: $status $text\n");
    }
    return $status;
}

function publish(string $channel, string $name, mixed $data): int
{
    $text = json_encode($data, JSON_UNESCAPED_UNICODE);
    return post(EVENTS, ['name' => $name, 'channel' => $channel, 'data' => $text]);
}

/** One of the clinic's own pages; they need no signature. */
function clinic(string $page): string
{
    return file_get_contents(HOST . "/clinic$page");
}

// --- the goals -----------------------------------------------------------------------------------

$goals = [
    'vectors' => function () {
        foreach (json_decode(clinic('.json'), true)['vectors'] as $vector) {
            send($vector['method'], $vector['path'], $vector['params'], $vector['body']);
        }
    },
    'event' => function () {
        publish('order-41', 'status', ['status' => 'Zażółć ☕']);
    },
    'get' => function () {
        $params = [['info', 'user_count,subscription_count']];
        send('GET', '/apps/' . APP_ID . '/channels/presence-couriers', $params);
    },
    'batch' => function () {
        $event = fn ($order) => ['channel' => $order, 'name' => 'status', 'data' => 'delayed'];
        post(BATCH, ['batch' => array_map($event, ['order-41', 'order-42'])]);
    },
    'wait' => function () {
        publish('friday', 'status', 'delayed');
    },
    'give-up' => function () {
        if (publish('shut', 'status', 'delayed') === 429) {
            publish('news', 'gave-up', 'shut');
        }
    },
    'private' => function () {
        $auth = KEY . ':' . signature(clinic('/socket_id') . ':private-order-41');
        publish('clinic', 'auth', ['auth' => $auth]);
    },
    'fault' => function () {
        $text = clinic('/broken/canonical_string');
        $wrong = [
            'hash-of-secret-and-string' => hash('sha256', SECRET . $text),
            'key-and-message-swapped' => signature(SECRET, $text),
            'method-in-lower-case' => signature(str_replace('POST', 'post', $text)),
            'newline-at-the-end' => signature("$text\n"),
            'newline-written-out' => signature(str_replace("\n", '\n', $text)),
            'secret-with-newline' => signature($text, SECRET . "\n"),
        ];
        $cause = array_search(clinic('/broken/auth_signature'), $wrong, true);
        publish('clinic', 'cause', ['cause' => $cause]);
    },
    'report' => function () {
        publish('clinic', 'report', ['fingerprint' => clinic('/fingerprint'), 'by' => 'PHP']);
    },
];

foreach (array_slice($argv, 1) ?: array_keys($goals) as $goal) {
    $goals[$goal]();
}
