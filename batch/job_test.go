package batch_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"batchkeeper/batch"
)

func TestParseJob(t *testing.T) {
	job, err := batch.ParseJob([]byte(`{"input":"file:///data/requests.jsonl","endpoint":"/v1/responses","stale_after":"36h","poll":{"min":"1s"}}`))
	require.NoError(t, err)
	require.Equal(t, 36*time.Hour, job.StaleAfter.Std())
	require.Equal(t, time.Second, job.Poll.Min.Std())

	for name, tc := range map[string]struct{ raw, want string }{
		"unknown field":        {`{"input":"a","stale_afer":"1h"}`, `unknown field "stale_afer"`},
		"unknown nested field": {`{"input":"a","poll":{"minimum":"1s"}}`, `unknown field "minimum"`},
		"nothing":              {``, "no input"},
		"two values":           {`{"input":"a"} {}`, "more than one JSON value"},
		"bare number":          {`{"input":"a","stale_after":3600}`, `want a string such as`},
		"bad duration":         {`{"input":"a","stale_after":"1 day"}`, `want a string such as`},
		"not an object":        {`["a"]`, "cannot unmarshal array"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := batch.ParseJob([]byte(tc.raw))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestJobRoundTrip(t *testing.T) {
	job := batch.Job{Input: "in.jsonl", StaleAfter: batch.Duration(90 * time.Second), Poll: batch.PollPolicy{Max: batch.Duration(time.Minute)}}
	raw, err := json.Marshal(job)
	require.NoError(t, err)
	require.JSONEq(t, `{"input":"in.jsonl","stale_after":"1m30s","poll":{"max":"1m0s"}}`, string(raw))
	back, err := batch.ParseJob(raw)
	require.NoError(t, err)
	require.Equal(t, job, back)
}

func TestJobValidate(t *testing.T) {
	many := map[string]string{}
	for i := range 15 {
		many[strings.Repeat("k", i+1)] = "v"
	}
	for name, tc := range map[string]struct {
		job  batch.Job
		want string // empty: valid
	}{
		"input":               {batch.Job{Input: "a.jsonl"}, ""},
		"file id":             {batch.Job{InputFileID: "file-1"}, ""},
		"batch id with input": {batch.Job{BatchID: "batch_1", Input: "a"}, ""},
		"nothing":             {batch.Job{}, "one of input"},
		"range without input": {batch.Job{BatchID: "b", InputRange: &batch.Range{Length: 1}}, "input_range"},
		"empty range":         {batch.Job{Input: "a", InputRange: &batch.Range{}}, "input_range"},
		"mode":                {batch.Job{Input: "a", CreateMode: "post"}, "create_mode"},
		"inline from a file":  {batch.Job{Input: "a", InputFileID: "f", CreateMode: batch.CreateInline}, "create_mode"},
		"control character":   {batch.Job{Input: "a", Model: "gpt\n"}, "model"},
		"endpoint":            {batch.Job{Input: "a", Endpoint: "v1/responses"}, "endpoint"},
		"too much metadata":   {batch.Job{Input: "a", Metadata: many}, "15 pairs"},
		"reserved metadata":   {batch.Job{Input: "a", Metadata: map[string]string{"phaseo_x": "1"}}, "reserved"},
		"long metadata":       {batch.Job{Input: "a", Metadata: map[string]string{"k": strings.Repeat("v", 513)}}, "metadata"},
		"negative time":       {batch.Job{Input: "a", CancelGrace: -1}, "cancel_grace"},
		"crossed poll": {batch.Job{Input: "a",
			Poll: batch.PollPolicy{Min: batch.Duration(time.Minute), Max: batch.Duration(time.Second)}}, "poll.max"},
		"poll below a second":   {batch.Job{Input: "a", Poll: batch.PollPolicy{Min: 1}}, "poll.min"},
		"poll of a second":      {batch.Job{Input: "a", Poll: batch.PollPolicy{Min: batch.Duration(time.Second), Max: batch.Duration(time.Second)}}, ""},
		"growth":                {batch.Job{Input: "a", Poll: batch.PollPolicy{Growth: 2}}, "poll.growth"},
		"prefix":                {batch.Job{Input: "a", ResultsPrefix: "a/b/"}, ""},
		"prefix dot dot":        {batch.Job{Input: "a", ResultsPrefix: "a/../b"}, "results_prefix"},
		"prefix dot":            {batch.Job{Input: "a", ResultsPrefix: "./b"}, "results_prefix"},
		"absolute prefix":       {batch.Job{Input: "a", ResultsPrefix: "/b"}, "results_prefix"},
		"notify without signal": {batch.Job{Input: "a", Notify: &batch.Notify{WorkflowID: "w"}}, "notify"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.job.Validate()
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestFingerprint(t *testing.T) {
	job := batch.Job{Input: "a", Metadata: map[string]string{"b": "1", "a": "2"}}
	require.Equal(t, job.Fingerprint(), job.WithDefaults().Fingerprint(), "a default spelled out is the same job")
	carried := job
	carried.Carried = &batch.Carried{Token: "t"}
	require.Equal(t, job.Fingerprint(), carried.Fingerprint())
	job.Model = "m"
	require.NotEqual(t, job.Fingerprint(), carried.Fingerprint())
}

func TestSessionID(t *testing.T) {
	for _, id := range []string{"nightly-1", "a/b c"[:3], strings.Repeat("x", 200), "}"} {
		session := batch.SessionID(id, "0190-run")
		workflow, token, ok := batch.SplitSessionID(session)
		require.True(t, ok, session)
		require.Equal(t, id, workflow)
		require.Equal(t, "0190-run", token)
	}
	for _, bad := range []string{"", "a", "a~", "~t", "a~b~c", "a b~t", strings.Repeat("x", 201) + "~t", "é~t", "a~" + strings.Repeat("t", 65)} {
		_, _, ok := batch.SplitSessionID(bad)
		require.False(t, ok, bad)
	}
	require.NoError(t, batch.CheckWorkflowID("nightly-1"))
	require.ErrorContains(t, batch.CheckWorkflowID("a~b"), "byte 2")
	require.ErrorContains(t, batch.CheckWorkflowID(""), "want 1 to 200")
}

func TestResultsPrefix(t *testing.T) {
	require.Equal(t, "mine", batch.ResultsPrefix(batch.Job{ResultsPrefix: "mine/"}, "w", "t"))
	require.Equal(t, "a%2Fb/t", batch.ResultsPrefix(batch.Job{}, "a/b", "t"))
	require.Equal(t, "%2E%2E/t", batch.ResultsPrefix(batch.Job{}, "..", "t"))
	long, other := strings.Repeat("a/", 100), strings.Repeat("a/", 99)+"a["
	require.Len(t, strings.Split(batch.ResultsPrefix(batch.Job{}, long, "t"), "/"), 2)
	require.LessOrEqual(t, len(batch.ResultsPrefix(batch.Job{}, long, "t")), 202)
	require.NotEqual(t, batch.ResultsPrefix(batch.Job{}, long, "t"), batch.ResultsPrefix(batch.Job{}, other, "t"))
}

func TestProfiles(t *testing.T) {
	got, err := batch.ParseProfiles([]byte(`{"mine":{"dialect":"openai","max_rows":7},"small":{"dialect":"phaseo","max_bytes":100}}`))
	require.NoError(t, err)
	require.Equal(t, int64(7), got["mine"].MaxRows)
	require.Equal(t, batch.OpenAIProfile().MaxBytes, got["mine"].MaxBytes)
	require.Equal(t, "small", got["small"].Name)
	for raw, want := range map[string]string{
		`[]`:                                  "object of profiles",
		`{"x":{"dialect":"soap"}}`:            "neither phaseo nor openai",
		`{"x":{"dialect":"openai","rows":1}}`: "unknown field",
		`{"x":{"dialect":"openai","max_rows":-1}}`: "must be positive",
	} {
		_, err := batch.ParseProfiles([]byte(raw))
		require.ErrorContains(t, err, want)
	}
	phaseo, openai := batch.PhaseoProfile(), batch.OpenAIProfile()
	require.Equal(t, batch.CreateInline, phaseo.Mode(batch.Job{Input: "a", CreateMode: batch.CreateAuto}))
	require.Equal(t, batch.CreateFile, phaseo.Mode(batch.Job{InputFileID: "f", CreateMode: batch.CreateAuto}))
	require.Equal(t, batch.CreateFile, openai.Mode(batch.Job{Input: "a", CreateMode: batch.CreateAuto}))
	require.Equal(t, batch.CreateFile, phaseo.Mode(batch.Job{Input: "a"}))
	require.Equal(t, batch.CreateInline, openai.Mode(batch.Job{Input: "a", CreateMode: batch.CreateInline}))
	require.Greater(t, phaseo.BytesLimit(batch.CreateInline), phaseo.BytesLimit(batch.CreateFile))
}
