#!/usr/bin/env php
<?php
$data = json_encode(['status' => 'delivered', 'to' => 'Zoë']);
$body = json_encode(['name' => 'status', 'channel' => 'order-41', 'data' => $data]);
$path = '/apps/' . getenv('PUSHER_APP_ID') . '/events';
$query = [
    'auth_key' => getenv('PUSHER_KEY'),
    'auth_timestamp' => (string) time(),
    'auth_version' => '1.0',
    'body_md5' => md5($body),
];
ksort($query, SORT_STRING);
$pairs = array_map(fn ($name) => "$name=$query[$name]", array_keys($query));
$text = "POST\n$path\n" . implode('&', $pairs);
$query['auth_signature'] = hash_hmac('sha256', $text, getenv('PUSHER_SECRET'));

$url = getenv('PUSHER_HOST') . $path . '?' . http_build_query($query);
$http = ['method' => 'POST', 'content' => $body, 'ignore_errors' => true];
$http['header'] = 'Content-Type: application/json';
$answer = file_get_contents($url, false, stream_context_create(['http' => $http]));
echo $http_response_header[0], ' ', $answer, "\n";
