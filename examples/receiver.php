<?php
// A receiver in PHP, with nothing but what PHP brings: it checks Standard Webhooks signatures by hand, keeps each message
// once, and says when one before it has not come.
//
//     ./waypost endpoints create http://127.0.0.1:9091/        # prints the secret
//     WEBHOOK_SECRET=whsec_… PORT=9091 php examples/receiver.php
//     ./waypost endpoints test http://127.0.0.1:9091/          # it answers, so it becomes active
//
// Run so it serves itself by PHP's built-in server. Behind PHP-FPM the same file is the page that receives: there the answer
// goes out before the work begins.

declare(strict_types=1);

const TOLERANCE_S = 300;
const BODY_BYTES_MAX = 1024 * 1024;

$inbox = getenv('INBOX') ?: 'inbox';

/** Two while a secret is rotated, with a blank between. */
function secrets(): array
{
    $given = preg_split('/\s+/', (string) getenv('WEBHOOK_SECRET'), -1, PREG_SPLIT_NO_EMPTY);
    return array_map(fn (string $secret): string => (string) base64_decode(preg_replace('/^whsec_/', '', $secret)), $given);
}

function header_of(string $name): string
{
    return (string) ($_SERVER['HTTP_' . strtoupper(strtr($name, '-', '_'))] ?? '');
}

function is_number(string $text): bool
{
    return preg_match('/^\d+$/D', $text) === 1;
}

/** What is wrong with the message; null when it is genuine. */
function verify(string $body): ?string
{
    $id = header_of('webhook-id');
    $timestamp = header_of('webhook-timestamp');
    // The id becomes the name of a file.
    if (preg_match('/^[A-Za-z0-9_-]{1,64}$/D', $id) !== 1 || !is_number($timestamp)) {
        return 'webhook-id or webhook-timestamp is missing';
    }
    $isGenuine = false;
    foreach (explode(' ', header_of('webhook-signature')) as $part) {
        foreach (secrets() as $secret) {
            $wanted = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $secret, true));
            // hash_equals takes the same time wherever two signatures differ.
            $isGenuine = hash_equals($wanted, $part) || $isGenuine;
        }
    }
    if (!$isGenuine) {
        return 'no signature matches: another secret, or a changed body';
    }
    return abs(time() - (int) $timestamp) > TOLERANCE_S ? 'the message is too old, or this clock is wrong' : null;
}

/** It is on disk when this returns, whole and once: a link to a name that is taken fails. */
function store(string $inbox, string $id, string $body): void
{
    $new = (string) tempnam($inbox, 'new');
    file_put_contents($new, $body);
    @link($new, "$inbox/$id.json");
    unlink($new);
}

/** Every message names the one before it that was owed to this endpoint, whatever the endpoint filters. */
function check_previous(string $inbox): void
{
    $sequence = header_of('waypost-sequence');
    $previous = header_of('waypost-previous');
    // A test is in no log.
    if (!is_number($sequence)) {
        return;
    }
    touch("$inbox/sequence-$sequence");
    if (is_number($previous) && !file_exists("$inbox/sequence-$previous")) {
        // It may be on its way: jobs are sent side by side. If it stays away, GET /v1/events?endpoint_id=&after= has it.
        error_log("receiver: $previous, which comes before $sequence, is not here yet");
    }
}

/** What takes time happens here, after the answer. Types that are not known are ignored. */
function work_off(string $inbox): void
{
    foreach (glob("$inbox/*.json") ?: [] as $path) {
        if (file_exists("$path.done")) {
            continue;
        }
        $event = json_decode((string) file_get_contents($path), true);
        if (str_starts_with($event['type'], 'job.')) {
            $job = $event['data']['job'];
            $line = "{$event['sequence']} {$job['reference']} {$job['status']} " . implode(', ', $event['topics']);
            file_put_contents('php://stdout', "$line\n");
        }
        touch("$path.done");
    }
}

function receive(string $inbox): void
{
    if ((int) ($_SERVER['CONTENT_LENGTH'] ?? 0) > BODY_BYTES_MAX) {
        http_response_code(413);
        echo 'too large';
        return;
    }
    $body = (string) file_get_contents('php://input');
    $wrong = verify($body);
    if ($wrong !== null) {
        http_response_code(400);
        echo $wrong;
        return;
    }
    // A repeat is answered like the first: it has arrived.
    store($inbox, header_of('webhook-id'), $body);
    check_previous($inbox);
    http_response_code(204);
    if (function_exists('fastcgi_finish_request')) {
        fastcgi_finish_request();
    }
    work_off($inbox);
}

if (PHP_SAPI !== 'cli') {
    receive($inbox);
    exit;
}
if (secrets() === []) {
    fwrite(STDERR, "receiver: WEBHOOK_SECRET is not set: ./waypost endpoints create http://127.0.0.1:9091/ prints one\n");
    exit(1);
}
if (!is_dir($inbox)) {
    mkdir($inbox, 0700, true);
}
// What was stored and not worked off when it was killed.
work_off($inbox);
$address = '127.0.0.1:' . (getenv('PORT') ?: '9091');
echo "Listening on http://$address/\n";
pcntl_exec(PHP_BINARY, ['-S', $address, __FILE__]);
