-- Plain SQL that SQLite and PostgreSQL both understand; times are milliseconds since 1970, UTC; documents are JSON.

-- Projects as they were proposed, and what this node's steward decided. `asked_here` is 0 where a project of this node's own
-- asks only others. `terms` is what is granted, where anything is.
CREATE TABLE project (
    project TEXT PRIMARY KEY,
    proposer TEXT NOT NULL,
    signed TEXT NOT NULL,
    document TEXT NOT NULL,
    asked_here BIGINT NOT NULL,
    state TEXT NOT NULL,
    terms TEXT,
    reason TEXT,
    decided_by TEXT,
    decided BIGINT,
    received BIGINT NOT NULL
);

-- What the nodes that were asked say about a project; at the proposing node.
CREATE TABLE project_status (
    project TEXT NOT NULL REFERENCES project (project),
    node TEXT NOT NULL,
    signed TEXT NOT NULL,
    state TEXT NOT NULL,
    seen BIGINT NOT NULL,
    PRIMARY KEY (project, node)
);

-- Signed answers that wait for a steward, or waited. `ledger_end` is the number of the ledger's last line at a refusal,
-- `fetched` the time at which the asker picked a released answer up.
CREATE TABLE held_answer (
    peer TEXT NOT NULL,
    study TEXT NOT NULL,
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    project TEXT,
    query_hash TEXT NOT NULL,
    query TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    policy_hash TEXT NOT NULL,
    class TEXT NOT NULL,
    rule TEXT NOT NULL,
    why TEXT NOT NULL,
    signed TEXT NOT NULL,
    answer TEXT,
    answer_hash TEXT NOT NULL,
    state TEXT NOT NULL,
    reviewer TEXT,
    reason TEXT,
    held BIGINT NOT NULL,
    decided BIGINT,
    ledger_end BIGINT,
    fetched BIGINT,
    PRIMARY KEY (peer, study)
);

CREATE INDEX held_answer_state ON held_answer (state, held);

-- The ledger: everything that was released, is held for review, or was refused there. It holds queries and answers, never
-- patients. `answer` is NULL for look-ups in the catalogue.
CREATE TABLE released (
    number BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    peer TEXT NOT NULL,
    subject TEXT NOT NULL,
    project TEXT,
    study TEXT NOT NULL,
    query_hash TEXT NOT NULL,
    question_hash TEXT NOT NULL,
    query TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    rule TEXT NOT NULL,
    answer TEXT,
    state TEXT NOT NULL,
    UNIQUE (peer, study)
);

CREATE INDEX released_snapshot ON released (snapshot, rule, question_hash);
CREATE INDEX released_question ON released (question_hash, rule, number);
CREATE INDEX released_rule ON released (rule, number);

-- Questions that count against quotas.
CREATE TABLE asked (
    peer TEXT NOT NULL,
    subject TEXT NOT NULL,
    project TEXT,
    at BIGINT NOT NULL
);

CREATE INDEX asked_subject ON asked (peer, subject, at);
CREATE INDEX asked_project ON asked (peer, project, at);
CREATE INDEX asked_at ON asked (at);

-- Privacy budgets: what of them is spent, by `node` and `project:ID`.
CREATE TABLE budget (
    scope TEXT PRIMARY KEY,
    spent DOUBLE PRECISION NOT NULL
);

CREATE TABLE budget_charge (
    peer TEXT NOT NULL,
    study TEXT NOT NULL,
    project TEXT NOT NULL,
    rho DOUBLE PRECISION NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (peer, study)
);
