-- A row that is there already, as it is, is not written again.
INSERT INTO answers AS old (run_id, custom_id, round, batch_id, body)
SELECT $1, row.custom_id, $2, $3, row.body::json
FROM unnest($4::text[], $5::text[]) AS row (custom_id, body)
ON CONFLICT (run_id, custom_id) DO UPDATE
SET round = excluded.round, batch_id = excluded.batch_id, body = excluded.body
WHERE (old.round, old.batch_id, old.body::text) IS DISTINCT FROM (excluded.round, excluded.batch_id, excluded.body::text)
