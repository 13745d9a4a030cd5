-- Run at each start. The lock keeps two workers that start together from creating the same table.
SELECT pg_advisory_xact_lock(hashtext('batchkeeper.answers'));

CREATE TABLE IF NOT EXISTS answers (
    run_id    text    NOT NULL, -- workflow id of the bulk run
    custom_id text    NOT NULL,
    round     integer NOT NULL, -- in which the row was answered
    batch_id  text    NOT NULL, -- by which batch
    -- json keeps what the model has said, byte for byte. jsonb refuses some of it (\u0000, half a surrogate pair).
    body      json    NOT NULL,
    PRIMARY KEY (run_id, custom_id)
);
