-- Roles as a server collects them over the years.
SET password_encryption = 'scram-sha-256';
CREATE ROLE "Forum Admin" LOGIN CREATEDB PASSWORD 'only its hash is in a dump' CONNECTION LIMIT 7 VALID UNTIL '2038-01-19 03:14:07+00';
CREATE ROLE moderators NOLOGIN NOINHERIT;
CREATE ROLE "o'brien" LOGIN REPLICATION BYPASSRLS PASSWORD 'another';
CREATE ROLE "größe" LOGIN CREATEROLE;
CREATE ROLE reader LOGIN;
GRANT moderators TO "o'brien" WITH ADMIN OPTION;
GRANT moderators TO "größe";
GRANT pg_read_all_data TO reader;
ALTER ROLE reader SET work_mem = '7MB';
ALTER ROLE "Forum Admin" SET search_path = "$user", public;
COMMENT ON ROLE moderators IS 'those who delete';
