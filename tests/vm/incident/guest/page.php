<?php
// A page of the forum: its text from memcached, or made and left there; the balance of its author from the database.
// What fails is a page that is not answered.
function fail(): never {
    http_response_code(500);
    exit("no page\n");
}

$cache = new Memcached('forum');
if (!$cache->getServerList()) {
    $cache->addServer('127.0.0.1', 11211);
}
$database = pg_pconnect('dbname=forum') or fail();

$topic = random_int(1, 2000);
$text = $cache->get("topic:$topic");
if ($text === false) {
    $rows = pg_query_params($database, 'SELECT bbalance FROM pgbench_branches WHERE bid = $1', [1 + $topic % 50]) or fail();
    $text = str_repeat("<p>topic $topic, " . pg_fetch_result($rows, 0, 0) . "</p>\n", 100);
    $cache->set("topic:$topic", $text, 600) or fail();
}
$post = random_int(1, 80000);
$rows = pg_query_params($database, 'SELECT body FROM posts WHERE id = $1', [$post]) or fail();
echo "<!doctype html><title>$topic</title>\n$text<p>", pg_fetch_result($rows, 0, 0), "</p>\n";
