-- One schema for SQLite and PostgreSQL. Times are milliseconds since 1970 in UTC, NULL for none. What belongs to an
-- organisation has (org_id, id) as its key and refers to others by such pairs, so a row cannot point into another
-- organisation. What belongs to a candidate goes with the candidate (ON DELETE CASCADE). See docs/platform-data.md.

-- +goose Up
CREATE TABLE organizations (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    retention_days BIGINT NOT NULL,
    created_at     BIGINT NOT NULL
);

-- One row once the first owner exists: two who set up at once cannot both succeed.
CREATE TABLE installation (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    org_id     TEXT NOT NULL REFERENCES organizations (id),
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    id              TEXT PRIMARY KEY,
    email           TEXT NOT NULL UNIQUE, -- normalised
    name            TEXT NOT NULL,
    password_hash   TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    disabled_at     BIGINT,
    sessions_from   BIGINT,
    failed_sign_ins BIGINT NOT NULL DEFAULT 0,
    locked_until    BIGINT
);

CREATE TABLE identities (
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);

CREATE TABLE memberships (
    org_id     TEXT NOT NULL REFERENCES organizations (id),
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role       TEXT NOT NULL CHECK (role IN ('owner', 'author', 'reviewer')),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,
    data       BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE api_tokens (
    org_id       TEXT NOT NULL REFERENCES organizations (id),
    id           TEXT NOT NULL,
    name         TEXT NOT NULL,
    token_hash   TEXT NOT NULL UNIQUE,
    scopes       TEXT NOT NULL, -- separated by spaces
    created_by   TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT,
    PRIMARY KEY (org_id, id)
);

CREATE TABLE assessments (
    org_id      TEXT NOT NULL REFERENCES organizations (id),
    id          TEXT NOT NULL,
    version     BIGINT NOT NULL, -- the newest
    created_by  TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    archived_at BIGINT,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX assessments_list ON assessments (org_id, created_at, id);

-- Versions are written once.
CREATE TABLE assessment_versions (
    org_id         TEXT NOT NULL,
    assessment_id  TEXT NOT NULL,
    version        BIGINT NOT NULL,
    name           TEXT NOT NULL,
    role_title     TEXT NOT NULL,
    message        TEXT NOT NULL,
    mode           TEXT NOT NULL,
    deadline_at    BIGINT,
    time_limit_ms  BIGINT NOT NULL,
    attempts       BIGINT NOT NULL,
    pass_mark      DOUBLE PRECISION NOT NULL,
    visible        TEXT NOT NULL,
    retention_days BIGINT NOT NULL,
    created_by     TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (org_id, assessment_id, version),
    FOREIGN KEY (org_id, assessment_id) REFERENCES assessments (org_id, id) ON DELETE CASCADE
);

CREATE TABLE assessment_challenges (
    org_id            TEXT NOT NULL,
    assessment_id     TEXT NOT NULL,
    version           BIGINT NOT NULL,
    position          BIGINT NOT NULL,
    challenge_id      TEXT NOT NULL,
    challenge_version BIGINT NOT NULL,
    weight            DOUBLE PRECISION NOT NULL CHECK (weight > 0),
    mode              TEXT NOT NULL,
    PRIMARY KEY (org_id, assessment_id, version, challenge_id),
    FOREIGN KEY (org_id, assessment_id, version) REFERENCES assessment_versions (org_id, assessment_id, version) ON DELETE CASCADE
);

-- The only table with names and addresses of candidates.
CREATE TABLE candidates (
    org_id       TEXT NOT NULL REFERENCES organizations (id),
    id           TEXT NOT NULL,
    name         TEXT NOT NULL,
    name_key     TEXT NOT NULL, -- in lower case, and the address where there is no name: to sort and to search
    email        TEXT NOT NULL,
    email_key    TEXT, -- normalised; NULL without an address
    external_ref TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, email_key)
);

CREATE TABLE invitations (
    org_id        TEXT NOT NULL,
    id            TEXT NOT NULL,
    assessment_id TEXT NOT NULL,
    candidate_id  TEXT NOT NULL,
    token_hash    TEXT NOT NULL UNIQUE,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'opened', 'started', 'completed', 'withdrawn', 'revoked')),
    extra_percent BIGINT NOT NULL CHECK (extra_percent >= 0),
    expires_at    BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    opened_at     BIGINT,
    ended_at      BIGINT,
    attempt_id    TEXT, -- the newest
    attempts_used BIGINT NOT NULL DEFAULT 0,
    erase_after   BIGINT,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, assessment_id) REFERENCES assessments (org_id, id),
    FOREIGN KEY (org_id, candidate_id) REFERENCES candidates (org_id, id) ON DELETE CASCADE
);
CREATE INDEX invitations_list ON invitations (org_id, assessment_id, created_at, id);
CREATE INDEX invitations_candidate ON invitations (org_id, candidate_id);
CREATE INDEX invitations_erasure ON invitations (erase_after) WHERE erase_after IS NOT NULL;
-- One candidate is invited to one assessment once at a time.
CREATE UNIQUE INDEX invitations_once ON invitations (org_id, assessment_id, candidate_id) WHERE state NOT IN ('withdrawn', 'revoked');

CREATE TABLE attempts (
    org_id             TEXT NOT NULL,
    id                 TEXT NOT NULL,
    invitation_id      TEXT NOT NULL,
    candidate_id       TEXT NOT NULL,
    assessment_id      TEXT NOT NULL,
    assessment_version BIGINT NOT NULL,
    number             BIGINT NOT NULL,
    state              TEXT NOT NULL CHECK (state IN ('running', 'grading', 'review', 'decided', 'expired', 'withdrawn')),
    started_at         BIGINT NOT NULL,
    limit_ms           BIGINT NOT NULL,
    extra_percent      BIGINT NOT NULL,
    deadline_at        BIGINT,
    ends_at            BIGINT, -- as computed at the last change; NULL when nothing ends it, or while its clock stands
    consent_version    TEXT NOT NULL,
    consent_at         BIGINT NOT NULL,
    ended_at           BIGINT,
    score              DOUBLE PRECISION,
    score_low          DOUBLE PRECISION,
    score_high         DOUBLE PRECISION,
    verdict            TEXT NOT NULL DEFAULT '',
    decision           TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, invitation_id, number),
    FOREIGN KEY (org_id, invitation_id) REFERENCES invitations (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, assessment_id, assessment_version) REFERENCES assessment_versions (org_id, assessment_id, version)
);
CREATE INDEX attempts_ends ON attempts (ends_at) WHERE state = 'running' AND ends_at IS NOT NULL;
CREATE INDEX attempts_assessment ON attempts (org_id, assessment_id, assessment_version);

CREATE TABLE attempt_extensions (
    org_id     TEXT NOT NULL,
    id         TEXT NOT NULL,
    attempt_id TEXT NOT NULL,
    by_ms      BIGINT NOT NULL CHECK (by_ms > 0),
    reason     TEXT NOT NULL,
    granted_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, attempt_id) REFERENCES attempts (org_id, id) ON DELETE CASCADE
);
CREATE INDEX attempt_extensions_attempt ON attempt_extensions (org_id, attempt_id);

CREATE TABLE attempt_pauses (
    org_id     TEXT NOT NULL,
    id         TEXT NOT NULL,
    attempt_id TEXT NOT NULL,
    from_at    BIGINT NOT NULL,
    to_at      BIGINT,
    why        TEXT NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, attempt_id) REFERENCES attempts (org_id, id) ON DELETE CASCADE
);
CREATE INDEX attempt_pauses_attempt ON attempt_pauses (org_id, attempt_id);

CREATE TABLE drafts (
    org_id       TEXT NOT NULL,
    attempt_id   TEXT NOT NULL,
    challenge_id TEXT NOT NULL,
    revision     BIGINT NOT NULL,
    body         TEXT NOT NULL,
    saved_at     BIGINT NOT NULL,
    PRIMARY KEY (org_id, attempt_id, challenge_id),
    FOREIGN KEY (org_id, attempt_id) REFERENCES attempts (org_id, id) ON DELETE CASCADE
);

CREATE TABLE submissions (
    org_id            TEXT NOT NULL,
    id                TEXT NOT NULL,
    attempt_id        TEXT NOT NULL,
    candidate_id      TEXT NOT NULL,
    challenge_id      TEXT NOT NULL,
    challenge_version BIGINT NOT NULL,
    kind              TEXT NOT NULL CHECK (kind IN ('dry_run', 'final')),
    archive_key       TEXT NOT NULL,
    archive_digest    TEXT NOT NULL,
    archive_bytes     BIGINT NOT NULL,
    accepted          BOOLEAN NOT NULL,
    digest            TEXT NOT NULL, -- of the unpacked files
    files             BIGINT NOT NULL,
    problem           TEXT NOT NULL,
    notes             TEXT NOT NULL, -- a JSON array of sentences
    received_at       BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, attempt_id) REFERENCES attempts (org_id, id) ON DELETE CASCADE
);
CREATE INDEX submissions_list ON submissions (org_id, attempt_id, created_at, id);
-- One final submission for each challenge of an attempt.
CREATE UNIQUE INDEX submissions_final ON submissions (org_id, attempt_id, challenge_id) WHERE kind = 'final' AND accepted;

CREATE TABLE jobs (
    org_id           TEXT NOT NULL,
    id               TEXT NOT NULL,
    submission_id    TEXT NOT NULL,
    attempt_id       TEXT NOT NULL,
    candidate_id     TEXT NOT NULL,
    challenge_id     TEXT NOT NULL,
    kind             TEXT NOT NULL CHECK (kind IN ('final', 'regrade', 'dry_run')),
    priority         BIGINT NOT NULL,
    mode             TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('queued', 'running', 'retrying', 'graded', 'invalid', 'failed', 'cancelled')),
    why              TEXT NOT NULL DEFAULT '',
    tries            BIGINT NOT NULL DEFAULT 0,
    max_tries        BIGINT NOT NULL,
    fence            BIGINT NOT NULL DEFAULT 0,
    worker_id        TEXT NOT NULL DEFAULT '',
    lease_until      BIGINT,
    cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
    progress         TEXT NOT NULL DEFAULT '',
    lap              BIGINT NOT NULL,
    turn             BIGINT NOT NULL DEFAULT 0, -- of the newest claim, from queue_clock
    run_after        BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    started_at       BIGINT,
    finished_at      BIGINT,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, submission_id) REFERENCES submissions (org_id, id) ON DELETE CASCADE
);
CREATE INDEX jobs_waiting ON jobs (org_id, priority, lap, created_at, id) WHERE state IN ('queued', 'retrying');
CREATE INDEX jobs_due ON jobs (org_id, run_after) WHERE state IN ('queued', 'retrying');
CREATE INDEX jobs_running ON jobs (org_id, lease_until) WHERE state = 'running';
CREATE INDEX jobs_worker ON jobs (worker_id) WHERE state = 'running';
CREATE INDEX jobs_list ON jobs (org_id, created_at, id);
CREATE INDEX jobs_attempt ON jobs (org_id, attempt_id);
CREATE INDEX jobs_submission ON jobs (org_id, submission_id);
CREATE INDEX jobs_laps ON jobs (org_id, priority, turn, lap);

-- The clock gives each claim a number; its one row is also what makes claims happen one after another.
CREATE TABLE queue_clock (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    turn BIGINT NOT NULL
);
INSERT INTO queue_clock (id, turn) VALUES (1, 0);

CREATE TABLE queue_turns (
    org_id TEXT PRIMARY KEY REFERENCES organizations (id),
    turn   BIGINT NOT NULL
);

CREATE TABLE results (
    org_id             TEXT NOT NULL,
    id                 TEXT NOT NULL,
    job_id             TEXT NOT NULL,
    submission_id      TEXT NOT NULL,
    attempt_id         TEXT NOT NULL,
    candidate_id       TEXT NOT NULL,
    assessment_id      TEXT NOT NULL,
    assessment_version BIGINT NOT NULL,
    challenge_id       TEXT NOT NULL,
    challenge_version  BIGINT NOT NULL,
    challenge_digest   TEXT NOT NULL,
    kind               TEXT NOT NULL,
    mode               TEXT NOT NULL,
    official           BOOLEAN NOT NULL,
    verdict            TEXT NOT NULL CHECK (verdict IN ('pass', 'fail', 'withheld')),
    score              DOUBLE PRECISION NOT NULL,
    score_low          DOUBLE PRECISION NOT NULL,
    score_high         DOUBLE PRECISION NOT NULL,
    pass_mark          DOUBLE PRECISION NOT NULL,
    band               TEXT NOT NULL,
    borderline         BOOLEAN NOT NULL,
    headline           TEXT NOT NULL,
    report_key         TEXT NOT NULL,
    report_digest      TEXT NOT NULL,
    report_bytes       BIGINT NOT NULL,
    evidence_key       TEXT NOT NULL,
    evidence_digest    TEXT NOT NULL,
    evidence_bytes     BIGINT NOT NULL,
    standing           BOOLEAN NOT NULL,
    graded_at          BIGINT NOT NULL,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, job_id), -- a job has one verdict, whatever happens
    FOREIGN KEY (org_id, job_id) REFERENCES jobs (org_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX results_standing ON results (org_id, submission_id) WHERE standing;
CREATE INDEX results_attempt ON results (org_id, attempt_id);
CREATE INDEX results_compare ON results (org_id, assessment_id, challenge_id, challenge_version);

CREATE TABLE result_criteria (
    org_id     TEXT NOT NULL,
    result_id  TEXT NOT NULL,
    position   BIGINT NOT NULL,
    criterion  TEXT NOT NULL,
    title      TEXT NOT NULL,
    skill      TEXT NOT NULL,
    assessed   BOOLEAN NOT NULL,
    score      DOUBLE PRECISION NOT NULL,
    score_low  DOUBLE PRECISION NOT NULL,
    score_high DOUBLE PRECISION NOT NULL,
    weight     DOUBLE PRECISION NOT NULL,
    points     DOUBLE PRECISION NOT NULL,
    max_points DOUBLE PRECISION NOT NULL,
    value      DOUBLE PRECISION,
    reference  DOUBLE PRECISION,
    unit       TEXT NOT NULL,
    PRIMARY KEY (org_id, result_id, position),
    FOREIGN KEY (org_id, result_id) REFERENCES results (org_id, id) ON DELETE CASCADE
);

CREATE TABLE result_codes (
    org_id    TEXT NOT NULL,
    result_id TEXT NOT NULL,
    code      TEXT NOT NULL,
    PRIMARY KEY (org_id, result_id, code),
    FOREIGN KEY (org_id, result_id) REFERENCES results (org_id, id) ON DELETE CASCADE
);

CREATE TABLE decisions (
    org_id     TEXT NOT NULL,
    id         TEXT NOT NULL,
    attempt_id TEXT NOT NULL,
    outcome    TEXT NOT NULL CHECK (outcome IN ('advance', 'reject', 'hold')),
    reason     TEXT NOT NULL,
    decided_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, attempt_id) REFERENCES attempts (org_id, id) ON DELETE CASCADE
);
CREATE INDEX decisions_attempt ON decisions (org_id, attempt_id, created_at, id);

CREATE TABLE idempotency_keys (
    org_id     TEXT NOT NULL REFERENCES organizations (id),
    scope      TEXT NOT NULL, -- who asked for what
    key        TEXT NOT NULL,
    body_hash  TEXT NOT NULL,
    status     BIGINT NOT NULL,
    body       BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, scope, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

CREATE TABLE webhook_endpoints (
    org_id        TEXT NOT NULL REFERENCES organizations (id),
    id            TEXT NOT NULL,
    url           TEXT NOT NULL,
    events        TEXT NOT NULL, -- separated by spaces
    sealed_secret BYTEA NOT NULL,
    created_at    BIGINT NOT NULL,
    disabled_at   BIGINT,
    PRIMARY KEY (org_id, id)
);

CREATE TABLE webhook_deliveries (
    org_id       TEXT NOT NULL,
    id           TEXT NOT NULL,
    endpoint_id  TEXT NOT NULL,
    event_id     TEXT NOT NULL,
    type         TEXT NOT NULL,
    payload      TEXT NOT NULL,
    candidate_id TEXT,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'done', 'failed')),
    tries        BIGINT NOT NULL DEFAULT 0,
    next_at      BIGINT NOT NULL,
    last_status  BIGINT NOT NULL DEFAULT 0,
    last_error   TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    done_at      BIGINT,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, endpoint_id) REFERENCES webhook_endpoints (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, candidate_id) REFERENCES candidates (org_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_list ON webhook_deliveries (org_id, endpoint_id, created_at, id);
CREATE INDEX webhook_deliveries_candidate ON webhook_deliveries (org_id, candidate_id);

CREATE TABLE outbox (
    org_id        TEXT NOT NULL REFERENCES organizations (id),
    id            TEXT NOT NULL,
    template      TEXT NOT NULL,
    candidate_id  TEXT,
    user_id       TEXT REFERENCES users (id) ON DELETE CASCADE,
    invitation_id TEXT,
    sealed        BYTEA NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'done', 'failed')),
    tries         BIGINT NOT NULL DEFAULT 0,
    next_at       BIGINT NOT NULL,
    last_error    TEXT NOT NULL DEFAULT '',
    created_at    BIGINT NOT NULL,
    done_at       BIGINT,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, candidate_id) REFERENCES candidates (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, invitation_id) REFERENCES invitations (org_id, id) ON DELETE CASCADE
);
CREATE INDEX outbox_due ON outbox (next_at) WHERE state = 'pending';
CREATE INDEX outbox_candidate ON outbox (org_id, candidate_id);
CREATE INDEX outbox_invitation ON outbox (org_id, invitation_id);

CREATE TABLE audit_log (
    org_id     TEXT NOT NULL REFERENCES organizations (id),
    id         TEXT NOT NULL,
    at         BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id   TEXT NOT NULL,
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    detail     TEXT NOT NULL,
    request_id TEXT NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX audit_log_list ON audit_log (org_id, at, id);
CREATE INDEX audit_log_subject ON audit_log (org_id, subject, at, id);

CREATE TABLE workers (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    version    TEXT NOT NULL,
    slots      BIGINT NOT NULL,
    draining   BOOLEAN NOT NULL,
    started_at BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL
);

-- What must go from the blob store, written in the transaction that erases the rows.
CREATE TABLE blob_erasures (
    prefix TEXT PRIMARY KEY,
    due_at BIGINT NOT NULL
);

-- What stays of an erased attempt: figures that lead to nobody. Ids tell no time, and the month is all that is kept of it.
CREATE TABLE statistics (
    org_id             TEXT NOT NULL REFERENCES organizations (id),
    id                 TEXT NOT NULL,
    assessment_id      TEXT NOT NULL,
    assessment_version BIGINT NOT NULL,
    challenge_id       TEXT NOT NULL,
    challenge_version  BIGINT NOT NULL,
    mode               TEXT NOT NULL,
    month              TEXT NOT NULL, -- "2026-11"
    verdict            TEXT NOT NULL,
    score              DOUBLE PRECISION NOT NULL,
    band               TEXT NOT NULL,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX statistics_challenge ON statistics (org_id, challenge_id, challenge_version);

CREATE TABLE statistic_criteria (
    org_id       TEXT NOT NULL,
    statistic_id TEXT NOT NULL,
    criterion    TEXT NOT NULL,
    skill        TEXT NOT NULL,
    points       DOUBLE PRECISION NOT NULL,
    max_points   DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (org_id, statistic_id, criterion),
    FOREIGN KEY (org_id, statistic_id) REFERENCES statistics (org_id, id) ON DELETE CASCADE
);
