-- A forum's database with a bit of everything a dump must carry.
SET client_min_messages = warning;
CREATE EXTENSION pg_trgm;
CREATE SCHEMA "Archive 2.0" AUTHORIZATION moderators;
CREATE TYPE mood AS ENUM ('calm', 'so "so"', 'ärgerlich');
CREATE DOMAIN percent AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE place AS (lat double precision, lon double precision);

CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 1000 INCREMENT BY 7) PRIMARY KEY,
    name text NOT NULL UNIQUE,
    mood mood DEFAULT 'calm',
    home place,
    tags text[] DEFAULT '{}',
    settings jsonb,
    joined timestamptz NOT NULL,
    address inet,
    key uuid,
    trust percent
);
INSERT INTO users (name, mood, home, tags, settings, joined, address, key, trust)
SELECT format('user %s', i), (enum_range(NULL::mood))[i % 3 + 1], ROW(i / 7.0, -i / 3.0)::place,
       ARRAY['a', format('t%s', i), NULL, 'with "quotes", and {braces}'],
       jsonb_build_object('n', i, 'nested', jsonb_build_array(1, NULL, 'ü', 1e300)),
       '2001-02-03 04:05:06.789012+00'::timestamptz + i * interval '1 day 1.000001 s',
       ('10.0.' || i % 256 || '.0/24')::inet, md5(i::text)::uuid, i % 101
FROM generate_series(1, 500) i;

CREATE TABLE posts (
    id bigserial PRIMARY KEY,
    author bigint REFERENCES users ON DELETE CASCADE,
    parent bigint REFERENCES posts DEFERRABLE INITIALLY DEFERRED,
    body text,
    score numeric,
    attachment bytea,
    at timestamptz
);
INSERT INTO posts (author, parent, body, score, attachment, at)
SELECT 1000 + 7 * (i % 500), nullif(i / 3, 0), repeat(md5(i::text), i % 40) || E'\t\\ \n\r\u0001 \\. ' || chr(128512 + i % 60),
       (i * 3.14159265358979323846264338327950288)::numeric / 7, decode(repeat(md5(i::text), i % 9), 'hex'),
       '1999-12-31 23:59:59+00'::timestamptz + i * interval '17 min'
FROM generate_series(1, 3000) i;
INSERT INTO posts (author, body, score, at) VALUES
    (1000, '', 'NaN', 'infinity'), (1000, NULL, 'Infinity', '-infinity'), (1000, '\N', 1e-300, '4713-01-01 00:00:00 BC'),
    (1000, E'\\.\n\\.', 0, NULL), (1000, E'e\u0301 \u202E \uFFFD \uFEFF', 99999999999999999999.000000000001, 'epoch');
-- Every character of the first plane that text may hold, and some beyond.
INSERT INTO posts (body) SELECT string_agg(chr(c), '') FROM generate_series(1, 55295) c;
INSERT INTO posts (body) SELECT string_agg(chr(c), '') FROM generate_series(65536, 69000) c;
INSERT INTO posts (attachment) SELECT decode(string_agg(lpad(to_hex(b), 2, '0'), ''), 'hex') FROM generate_series(0, 255) b;

CREATE TABLE empty (id int, "when" date);
CREATE TABLE "Odd ""name"".with 'all' of it" ("select" int, "a b" text, "ÄÖ" text COLLATE "C");
INSERT INTO "Odd ""name"".with 'all' of it" SELECT i, 'x' || i, 'ß' FROM generate_series(1, 20) i;
CREATE TABLE "Archive 2.0"."Größen" (v float8, r int4range, p point, t time, d interval, b bit varying, x xml);
INSERT INTO "Archive 2.0"."Größen" VALUES
    (1e-320, '[1,5)', '(1.5,2.5)', '23:59:59.999999', '1 year -3 days 04:05:06.7', B'10101', '<a b="c">ü</a>'),
    ('NaN', 'empty', NULL, '24:00', '-178000000 years', B'', NULL), ('-Infinity', '(,)', '(0,-0)', NULL, NULL, NULL, NULL);
CREATE TABLE "no columns" ();
INSERT INTO "no columns" DEFAULT VALUES;
INSERT INTO "no columns" DEFAULT VALUES;
CREATE UNLOGGED TABLE sessions (id text PRIMARY KEY, until timestamptz);
INSERT INTO sessions SELECT md5(i::text), now() FROM generate_series(1, 50) i;

CREATE TABLE visits (at date NOT NULL, page text, hits int) PARTITION BY RANGE (at);
CREATE TABLE "visits 2023" PARTITION OF visits FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE visits_2024 PARTITION OF visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY HASH (page);
CREATE TABLE visits_2024_0 PARTITION OF visits_2024 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE visits_2024_1 PARTITION OF visits_2024 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE visits_rest PARTITION OF visits DEFAULT;
INSERT INTO visits SELECT '2022-06-01'::date + i, '/p' || i % 17, i FROM generate_series(1, 1200) i;

CREATE SEQUENCE "ticket no" START 41 INCREMENT -3 MINVALUE -9000 MAXVALUE 100 CYCLE CACHE 5;
SELECT nextval('"ticket no"'), nextval('"ticket no"');
CREATE SEQUENCE untouched;

CREATE FUNCTION shout(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper(t) || '!' $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.at := coalesce(NEW.at, 'epoch'); RETURN NEW; END $f$;
CREATE TRIGGER touched BEFORE UPDATE ON posts FOR EACH ROW EXECUTE FUNCTION touch();
CREATE INDEX posts_body ON posts USING gin (left(body, 200) gin_trgm_ops);
CREATE INDEX "loud names" ON users (shout(name)) WHERE mood <> 'calm';
CREATE VIEW loud AS SELECT id, shout(name) AS name FROM users;
CREATE MATERIALIZED VIEW hits AS SELECT page, sum(hits) AS hits FROM visits GROUP BY page;
CREATE MATERIALIZED VIEW never_filled AS SELECT 1 AS one WITH NO DATA;
COMMENT ON TABLE users IS 'who is there: "all" of them';

ALTER TABLE users OWNER TO "Forum Admin";
ALTER TABLE "Archive 2.0"."Größen" OWNER TO moderators;
ALTER VIEW loud OWNER TO "o'brien";
ALTER FUNCTION shout(text) OWNER TO "größe";
GRANT SELECT, UPDATE (body) ON posts TO moderators;
GRANT SELECT ON users TO "o'brien" WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE "ticket no" TO "größe";
REVOKE EXECUTE ON FUNCTION shout(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shout(text) TO moderators;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader;
ALTER TABLE posts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON posts TO moderators USING (author IS NOT NULL);

SELECT lo_from_bytea(900001, (SELECT string_agg(sha512(i::text::bytea), '' ORDER BY i) FROM generate_series(1, 50000) i));
SELECT lo_from_bytea(900002, (SELECT string_agg(sha256(i::text::bytea), '' ORDER BY i) FROM generate_series(1, 90000) i));
SELECT lo_from_bytea(900003, ''), lo_from_bytea(900004, '\x00ff00'::bytea);
SELECT lo_from_bytea(910000 + i, sha224(i::text::bytea)) FROM generate_series(1, 30) i;
ALTER LARGE OBJECT 900002 OWNER TO "Forum Admin";
GRANT SELECT ON LARGE OBJECT 900001 TO moderators;
COMMENT ON LARGE OBJECT 900004 IS 'a small one';
