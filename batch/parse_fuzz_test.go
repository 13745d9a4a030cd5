package batch_test

import (
	"encoding/json"
	"math"
	"path"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

// A job that is read can be written and read again as the same job, and one that
// is valid has nothing in it that a run would trip over later.
func FuzzJob(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `{}`, `null`, `[]`, `{"input":"in.jsonl"}`, `{"input":"in.jsonl"}{}`, `{"input":"a","stale_aftr":"1h"}`, `{"input":"a","stale_after":3600}`,
		`{"batch_id":"../../x","results_prefix":"../../etc"}`, `{"batch_id":"a\u0000b"}`, `{"input":"a","results_prefix":"/etc"}`,
		`{"input":"a","results_prefix":"a//b"}`,
		`{"input":"a","input_range":{"offset":-1,"length":1e18}}`, `{"input":"a","input_range":{"offset":1.5,"length":1}}`,
		`{"input":"a","poll":{"min":"1s","max":"1h","growth":1e400}}`, `{"input":"a","poll":{"min":"-9223372036854775808ns"}}`,
		`{"input":"a","budget_usd":-1,"rounds":1000000000,"max_in_flight":-1,"max_rows_per_batch":9223372036854775807}`,
		`{"input":"a","metadata":{"phaseo_x":"y"}}`, `{"input":"a","metadata":{"k":"\ud83d"},"notify":{"workflow_id":"w","signal":"s"},"create_mode":"inline"}`,
		`{"input":"a","downstream":{"workflow":"w","task_queue":"q","rows_per_page":10,"page_timeout":"1h"}}`, `{"INPUT":"a","Input":"b"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		job, err := batch.ParseJob(raw)
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "job: "))
			return
		}
		written, err := json.Marshal(job)
		require.NoError(t, err)
		again, err := batch.ParseJob(written)
		require.NoError(t, err)
		require.Len(t, job.Fingerprint(), 64)
		require.Equal(t, job.Fingerprint(), again.Fingerprint())
		require.Equal(t, job.WithDefaults(), job.WithDefaults().WithDefaults())
		if job.Validate() != nil {
			return
		}
		require.NoError(t, again.Validate())
		require.True(t, job.Input != "" || job.InputFileID != "" || job.BatchID != "")
		require.True(t, job.InputRange == nil || job.InputRange.Offset >= 0 && job.InputRange.Length > 0)
		require.True(t, job.StaleAfter >= 0 && job.CancelGrace >= 0 && job.CreateTimeout >= 0 && job.SettleTimeout >= 0)
		// What a store still refuses of a prefix is its length and its spelling.
		key := path.Join(batch.ResultsPrefix(job, "w", "t"), batch.FileManifest)
		require.NotContains(t, "/"+key+"/", "/../")
		require.False(t, path.IsAbs(key))
		if job.ValidateBulk() == nil {
			require.True(t, job.Rounds >= 0 && job.Rounds <= batch.MaxRounds && job.BudgetUSD >= 0 && job.MaxInFlight >= 0)
		}
	})
}

// A sweep's job that is read is valid and can be written and read again; no input
// at all asks for the defaults, and never for a cancel.
func FuzzSweepJob(f *testing.F) {
	for _, seed := range []string{
		``, " \n", `{}`, `null`, `{"cancel":true,"max_age":"26h","since":"168h"}`, `{"cancle":true}`, `{"cancel":"true"}`, `{"max_age":"-1h"}`,
		`{"since":1e400}`, `{"max_age":"9223372036854775807ns"}`, `{}{}`, `{"profile":"\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		job, err := batch.ParseSweepJob(raw)
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "sweep: "))
			return
		}
		require.True(t, job.MaxAge >= 0 && job.Since >= 0)
		if job.Cancel {
			require.Contains(t, strings.ToLower(string(raw)), "cancel")
		}
		full := job.WithDefaults()
		require.True(t, full.MaxAge > 0 && full.Since > 0)
		written, err := json.Marshal(job)
		require.NoError(t, err)
		again, err := batch.ParseSweepJob(written)
		require.NoError(t, err)
		require.Equal(t, job, again)
	})
}

// The profiles of a limits file have limits that limit: no number in them is
// negative, and the price of any batch is one.
func FuzzLimits(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `{"a":null}`, `{"a":{"dialect":"phaseo"}}`, `{"a":{"dialect":"openai","max_rows":0}}`, `{"a":{"dialect":"openai","max_rows":1e9}}`,
		`{"a":{"dialect":"phaseo","max_inline_bytes":-1}}`, `{"a":{"dialect":"phaseo","max_custom_id":-1}}`,
		`{"a":{"dialect":"phaseo","max_tokens_per_batch":-1}}`,
		`{"a":{"dialect":"openai","input_usd_per_million_tokens":-1}}`, `{"a":{"dialect":"openai","output_usd_per_million_tokens":1e300}}`,
		`{"a":{"dialect":"openai","max_in_flight":-5,"max_live_batches":9223372036854775807}}`, `{"a":{"dialect":"openai","windows":[],"max_rowz":1}}`,
		`{"":{"dialect":"phaseo","name":"b"}}`, `{"a":{"dialect":"phaseo"},"a":{"dialect":"openai"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		profiles, err := batch.ParseProfiles(raw)
		if err != nil {
			require.Nil(t, profiles)
			return
		}
		written, err := json.Marshal(profiles)
		require.NoError(t, err)
		again, err := batch.ParseProfiles(written)
		require.NoError(t, err)
		require.Len(t, again, len(profiles))
		for name, p := range profiles {
			require.Equal(t, name, p.Name)
			require.True(t, p.Dialect == batch.DialectPhaseo || p.Dialect == batch.DialectOpenAI)
			require.True(t, p.MaxRows > 0 && p.MaxBytes > 0)
			for field, v := range reflect.ValueOf(p).Fields() {
				require.False(t, v.CanInt() && v.Int() < 0, "%s is negative", field.Name)
			}
			for _, tokens := range []int64{0, 1, 1e12, 1<<63 - 1} {
				require.GreaterOrEqual(t, p.Nanos(tokens, tokens), int64(0))
			}
		}
	})
}

// A session that is ours splits into the id and token that it was made of, and
// nothing else is ours.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"nightly-1~0190-run", "", "~", "a~", "~b", "a~b~c", "a b~c", "a\x00~c", "../../x~t", strings.Repeat("a", 200) + "~t", strings.Repeat("a", 201) + "~t",
		"a~" + strings.Repeat("t", 65), "é~t", "a~\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, session string) {
		id, token, ok := batch.SplitSessionID(session)
		if !ok {
			require.Empty(t, id+token)
			if id, token, found := strings.Cut(session, "~"); found && batch.CheckWorkflowID(id) == nil && len(token) > 0 && len(token) <= 64 {
				require.Contains(t, token, "~", "one of ours was not known")
			}
			return
		}
		require.Equal(t, session, batch.SessionID(id, token))
		require.NoError(t, batch.CheckWorkflowID(id))
		require.True(t, token != "" && len(token) <= 64 && !strings.Contains(token, "~"))
	})
}

// Whatever counts and times a gateway shows, the next read is neither at once nor
// later than the policy and the gateway ask.
func FuzzSchedule(f *testing.F) {
	f.Add(int64(15e9), int64(900e9), 0.05, int64(0), int64(3600), int64(10), int64(5), int64(100), int64(0), true)
	f.Add(int64(0), int64(0), 0.0, int64(-1), int64(-3600), int64(-1), int64(1<<62), int64(1), int64(86400e9), false)
	f.Add(int64(1e9), int64(1<<62), 1.0, int64(1<<40), int64(1<<40), int64(1), int64(1<<40), int64(1<<40), int64(1), false)
	f.Fuzz(func(t *testing.T, lo, hi int64, growth float64, since, age, first, done, total, wait int64, webhooks bool) {
		p := batch.PollPolicy{Min: batch.Duration(lo), Max: batch.Duration(hi), Growth: growth}
		if p.Validate() != nil || wait < 0 {
			return
		}
		h := batch.PollHistory{Since: t0.Add(time.Duration(since%1e6) * time.Second), Webhooks: webhooks}
		h.Note(t0.Add(time.Duration(age%1e5)*time.Second), &batch.RequestCounts{Total: total, Completed: first})
		h.Note(t0.Add(time.Duration(age%1e6)*time.Second), &batch.RequestCounts{Total: total, Completed: done, Failed: first})
		next := batch.NextPoll(p, h, t0.Add(time.Duration(age%1e6)*time.Second), time.Duration(wait))
		least, most := min(p.Min.Or(batch.DefaultPollMin), p.Max.Or(batch.DefaultPollMin)), max(p.Max.Or(batch.WebhookPollMax), p.Min.Std())
		require.GreaterOrEqual(t, next, max(least, time.Duration(wait)))
		require.LessOrEqual(t, next, max(most, time.Duration(wait)))
		percent := batch.RequestCounts{Total: total, Completed: done, Failed: first}.Percent()
		require.True(t, percent >= 0 && percent <= 100)
	})
}

// Whatever a gateway bills, a batch costs nothing or something: a figure that is
// no price would open the budget.
func FuzzBilling(f *testing.F) {
	for _, seed := range []string{
		`{"cost_nanos":7}`, `{"cost_nanos":-1000000000000}`, `{"cost_nanos":9223372036854775807}`, `{"cost_nanos":1e400}`, `{"cost_nanos":1.5}`,
		`{"cost_nanos":null}`, `null`, ``, `[]`, `{"cost_nanos":"7"}`, `{"output_tokens":-9,"input_tokens":10}`, `{"output_tokens":9223372036854775807}`,
	} {
		f.Add([]byte(seed), []byte(`{"cost_nanos":3}`), int64(5))
		f.Add([]byte(`{}`), []byte(seed), int64(-5))
	}
	f.Fuzz(func(t *testing.T, billing, usage []byte, tokens int64) {
		spent := batch.Money{InputTokens: tokens, TotalTokens: tokens}.Priced(batch.Prices{InputUSDPerMillion: 2}, usage, billing)
		require.GreaterOrEqual(t, spent.CostNanos, int64(0))
		const account = 20_000 // batches, which are summed
		require.Less(t, spent.CostNanos, int64(math.MaxInt64)/account)
		cost := batch.CostOf(batch.Prices{OutputUSDPerMillion: 2}, usage, billing)
		require.True(t, cost.Nanos >= 0 && cost.Nanos < math.MaxInt64/account)
	})
}
