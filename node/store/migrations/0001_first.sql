-- Plain SQL that SQLite and PostgreSQL both understand; times are milliseconds since 1970, UTC.

-- The audit chain: `entry` is canonical JSON that names the hash of the entry before it, `hash` is the hash of `entry`.
CREATE TABLE audit (
    sequence BIGINT PRIMARY KEY,
    entry TEXT NOT NULL,
    hash TEXT NOT NULL
);

-- Request tokens that were used, so that none is used twice, also after a restart.
CREATE TABLE used_token (
    issuer TEXT NOT NULL,
    token TEXT NOT NULL,
    forget_after BIGINT NOT NULL,
    PRIMARY KEY (issuer, token)
);

-- Answers that were given: the same study gets the same answer again.
CREATE TABLE given_answer (
    peer TEXT NOT NULL,
    study TEXT NOT NULL,
    query_hash TEXT NOT NULL,
    signed TEXT NOT NULL,
    given BIGINT NOT NULL,
    PRIMARY KEY (peer, study)
);

-- Heads of peers' audit chains; two hashes for one sequence are proof of a rewritten history, so both are kept.
CREATE TABLE held_head (
    peer TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    hash TEXT NOT NULL,
    seen BIGINT NOT NULL,
    PRIMARY KEY (peer, sequence, hash)
);

-- Studies that this node's people asked.
CREATE TABLE study (
    study TEXT PRIMARY KEY,
    asker TEXT NOT NULL,
    role TEXT NOT NULL,
    query TEXT NOT NULL,
    query_hash TEXT NOT NULL,
    started BIGINT NOT NULL,
    deadline BIGINT NOT NULL
);

-- Where each node's answer stands; `signed` is the verified answer as it came.
CREATE TABLE study_node (
    study TEXT NOT NULL REFERENCES study (study),
    node TEXT NOT NULL,
    status TEXT NOT NULL,
    problem TEXT,
    signed TEXT,
    elapsed_ms DOUBLE PRECISION,
    changed BIGINT NOT NULL,
    PRIMARY KEY (study, node)
);

-- Membership files that were in force, newest epoch last; each was signed by the committee of the one before.
CREATE TABLE membership (
    epoch BIGINT PRIMARY KEY,
    file TEXT NOT NULL,
    adopted BIGINT NOT NULL
);
