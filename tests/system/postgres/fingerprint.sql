-- Everything a restore must bring back, as lines that can be compared.
SET timezone = 'UTC';
SET extra_float_digits = 3;
SET search_path = pg_catalog;

SELECT format('SELECT %L, count(*) || '' rows'', md5(coalesce(string_agg(t::text, E''\n'' ORDER BY t::text COLLATE "C"), '''')) FROM %I.%I t',
              format('table %I.%I', n.nspname, c.relname), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND NOT (c.relkind = 'm' AND NOT c.relispopulated)
ORDER BY n.nspname, c.relname
\gexec

SELECT format('SELECT %L, last_value, is_called FROM %I.%I', format('sequence %I.%I', n.nspname, c.relname), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' ORDER BY n.nspname, c.relname
\gexec

SELECT 'large object ' || oid, length(lo_get(oid)), sha256(lo_get(oid)), lomowner::regrole,
       (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(lomacl) a), obj_description(oid, 'pg_largeobject')
FROM pg_largeobject_metadata ORDER BY oid;

SELECT 'schema', nspname, nspowner::regrole, (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(nspacl) a)
FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY nspname;

SELECT 'relation', n.nspname, c.relname, c.relkind, c.relpersistence, c.relispopulated, c.relrowsecurity, c.relowner::regrole,
       (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(c.relacl) a), obj_description(c.oid, 'pg_class'),
       pg_get_expr(c.relpartbound, c.oid), CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) WHEN 'm' THEN pg_get_viewdef(c.oid) WHEN 'i' THEN pg_get_indexdef(c.oid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY n.nspname, c.relname;

SELECT 'column', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
       a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid), a.attacl
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid::regclass::text COLLATE "C", a.attnum;

SELECT 'sequence', s.seqrelid::regclass, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle
FROM pg_sequence s ORDER BY s.seqrelid::regclass::text COLLATE "C";
SELECT 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema') ORDER BY 2, 3, 4;
SELECT 'function', p.oid::regprocedure, p.proowner::regrole, (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(p.proacl) a),
       md5(pg_get_functiondef(p.oid))
FROM pg_proc p WHERE p.prokind = 'f' AND p.pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema') ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT 'trigger', tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 2, 3;
SELECT 'policy', schemaname, tablename, policyname, roles, qual FROM pg_policies ORDER BY 2, 3, 4;
SELECT 'extension', extname, extversion FROM pg_extension ORDER BY 2;
SELECT 'default privileges', defaclrole::regrole, defaclobjtype, defaclacl FROM pg_default_acl ORDER BY 2, 3;
SELECT 'database', pg_encoding_to_char(encoding), datcollate, datctype, to_jsonb(d) ->> 'datlocprovider',
       coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale')
FROM pg_database d WHERE datname = current_database();
