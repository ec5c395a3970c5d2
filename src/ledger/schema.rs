//! The tables, as a list of migrations. A released migration is never edited; a change is a new one at the end.

/// Migration N brings the schema from version N to N + 1 (`PRAGMA user_version`).
pub const MIGRATIONS: &[&str] = &[
    "
    -- Moments are microseconds since 1970 in UTC, with the offset that was in force; durations are microseconds.
    CREATE TABLE runs (
        run             TEXT PRIMARY KEY,
        job             TEXT NOT NULL,
        kind            TEXT NOT NULL,
        action          TEXT NOT NULL,
        level           TEXT NOT NULL,
        pid             INTEGER NOT NULL,
        boot            TEXT NOT NULL,
        state           TEXT NOT NULL,
        reason          TEXT,
        started_us      INTEGER NOT NULL,
        started_offset  INTEGER NOT NULL,
        ended_us        INTEGER,
        ended_offset    INTEGER,
        wall_us         INTEGER NOT NULL DEFAULT 0,
        active_us       INTEGER NOT NULL DEFAULT 0,
        waiting_us      INTEGER NOT NULL DEFAULT 0,
        throttled_us    INTEGER NOT NULL DEFAULT 0,
        paused_us       INTEGER NOT NULL DEFAULT 0,
        read_bytes      INTEGER NOT NULL DEFAULT 0,
        written_bytes   INTEGER NOT NULL DEFAULT 0,
        cpu_us          INTEGER NOT NULL DEFAULT 0,
        peak_memory     INTEGER NOT NULL DEFAULT 0,
        exit_code       INTEGER
    ) STRICT;
    CREATE INDEX runs_of_job ON runs (job, started_us DESC);
    CREATE INDEX runs_by_start ON runs (started_us DESC);
    CREATE INDEX runs_open ON runs (run) WHERE state = 'running';

    CREATE TABLE phases (
        run             TEXT NOT NULL,
        seq             INTEGER NOT NULL,
        parent          INTEGER,
        name            TEXT NOT NULL,
        detail          TEXT,
        state           TEXT NOT NULL,
        message         TEXT,
        started_us      INTEGER NOT NULL,
        started_offset  INTEGER NOT NULL,
        ended_us        INTEGER,
        ended_offset    INTEGER,
        wall_us         INTEGER NOT NULL DEFAULT 0,
        active_us       INTEGER NOT NULL DEFAULT 0,
        waiting_us      INTEGER NOT NULL DEFAULT 0,
        throttled_us    INTEGER NOT NULL DEFAULT 0,
        paused_us       INTEGER NOT NULL DEFAULT 0,
        read_bytes      INTEGER NOT NULL DEFAULT 0,
        written_bytes   INTEGER NOT NULL DEFAULT 0,
        cpu_us          INTEGER NOT NULL DEFAULT 0,
        peak_memory     INTEGER NOT NULL DEFAULT 0,
        exit_code       INTEGER,
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE artifacts (
        path            TEXT PRIMARY KEY,
        run             TEXT NOT NULL,
        job             TEXT NOT NULL,
        published_us    INTEGER NOT NULL,
        published_offset INTEGER NOT NULL,
        stored_bytes    INTEGER NOT NULL,
        plain_bytes     INTEGER NOT NULL,
        verified        TEXT NOT NULL,
        checked_us      INTEGER,
        checked_good    INTEGER,
        removed_us      INTEGER
    ) STRICT;
    CREATE INDEX artifacts_of_job ON artifacts (job, published_us DESC);
",
    "
    -- What became of the limits a policy asks for.
    CREATE TABLE limits (
        run             TEXT NOT NULL,
        what            TEXT NOT NULL,
        state           TEXT NOT NULL,
        why             TEXT,
        at_us           INTEGER NOT NULL,
        at_offset       INTEGER NOT NULL,
        PRIMARY KEY (run, what)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- What the governor of a run decided, and why.
    CREATE TABLE decisions (
        run             TEXT NOT NULL,
        seq             INTEGER NOT NULL,
        at_us           INTEGER NOT NULL,
        at_offset       INTEGER NOT NULL,
        word            TEXT NOT NULL,
        enforced        INTEGER NOT NULL,
        signal          TEXT,
        unit            TEXT,
        value           REAL,
        threshold       REAL,
        text            TEXT NOT NULL,
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;

    -- What is usual for others when no run is under way.
    CREATE TABLE usual (
        unit            TEXT NOT NULL,
        signal          TEXT NOT NULL,
        value           REAL NOT NULL,
        at_us           INTEGER NOT NULL,
        PRIMARY KEY (unit, signal)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- What was due, and what became of it: written before it is done. One row may stand for several that were skipped together.
    CREATE TABLE occasions (
        job             TEXT NOT NULL,
        due_us          INTEGER NOT NULL,
        cause           TEXT NOT NULL,
        attempt         INTEGER NOT NULL,
        failures        INTEGER NOT NULL,
        state           TEXT NOT NULL,
        run             TEXT,
        reason          TEXT,
        not_before_us   INTEGER NOT NULL,
        until_us        INTEGER NOT NULL,
        count           INTEGER NOT NULL,
        at_us           INTEGER NOT NULL,
        PRIMARY KEY (job, due_us, cause, attempt)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX occasions_open ON occasions (job) WHERE state IN ('queued', 'started');
    CREATE INDEX occasions_by_time ON occasions (at_us);

    -- How far the schedule of a job was looked at, and for which boot.
    CREATE TABLE agenda (
        job             TEXT PRIMARY KEY,
        considered_us   INTEGER NOT NULL,
        boot            TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Pauses and paces that somebody ordered for a while; an empty job is all of them.
    CREATE TABLE holds (
        job             TEXT NOT NULL,
        what            TEXT NOT NULL,
        rate            INTEGER,
        until_us        INTEGER NOT NULL,
        PRIMARY KEY (job, what)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- The order of artifacts is that of their publication, and no clock's. Those of older programs have the number 0, and come first.
    ALTER TABLE artifacts ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
    -- What is suspect is trusted once somebody has accepted it.
    ALTER TABLE artifacts ADD COLUMN trusted INTEGER NOT NULL DEFAULT 1;
    DROP INDEX artifacts_of_job;
    CREATE INDEX artifacts_of_job ON artifacts (job, sequence DESC, published_us DESC);
",
];
