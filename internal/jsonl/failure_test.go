package jsonl_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"batchkeeper/internal/jsonl"
)

func TestFailureWorthRetry(t *testing.T) {
	const never, always, unlessAsked = "never", "always", "unless we asked"
	row := func(status int, code string) jsonl.Failure {
		return jsonl.Failure{Class: jsonl.ClassRowError, Status: status, Code: code}
	}
	tests := map[string]struct {
		failure jsonl.Failure
		want    string
	}{
		"expired":                     {jsonl.Failure{Class: jsonl.ClassExpired}, always},
		"missing":                     {jsonl.Failure{Class: jsonl.ClassMissing}, always},
		"cancelled":                   {jsonl.Failure{Class: jsonl.ClassCancelled, Code: "batch_cancelled"}, unlessAsked},
		"invalid":                     {jsonl.Failure{Class: "invalid", Status: 500}, never},
		"no class":                    {jsonl.Failure{Status: 500}, never},
		"400":                         {row(400, ""), never},
		"401":                         {row(401, ""), never},
		"408":                         {row(408, ""), always},
		"409":                         {row(409, ""), never},
		"413":                         {row(413, ""), never},
		"429":                         {row(429, "insufficient_quota"), always},
		"500":                         {row(500, ""), always},
		"503":                         {row(503, ""), always},
		"599":                         {row(599, ""), always},
		"600":                         {row(600, ""), never},
		"the status before the code":  {row(400, "server_error"), never},
		"a 200 without a body":        {row(200, ""), never},
		"a 200 with an error":         {row(200, "server_error"), always},
		"nothing known":               {row(0, ""), never},
		"a timeout":                   {row(0, "request_timeout"), always},
		"a rate limit":                {row(0, "rate_limit_exceeded"), always},
		"a server error":              {row(0, "server_error"), always},
		"expired by code":             {row(0, "batch_expired"), always},
		"cancelled by code":           {row(0, "batch_cancelled"), unlessAsked},
		"the row is to blame by code": {row(0, "invalid_request_error"), never},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want == always, tt.failure.WorthRetry(false))
			require.Equal(t, tt.want != never, tt.failure.WorthRetry(true))
		})
	}
}

func TestFailureCause(t *testing.T) {
	tests := map[string]struct {
		failure jsonl.Failure
		want    string
	}{
		"status and code": {jsonl.Failure{Status: 400, Code: "invalid_request_error"}, "http_400 invalid_request_error"},
		"status":          {jsonl.Failure{Class: jsonl.ClassRowError, Status: 422}, "http_422"},
		"code":            {jsonl.Failure{Class: jsonl.ClassRowError, Code: "odd"}, "odd"},
		"class":           {jsonl.Failure{Class: jsonl.ClassCancelled}, "cancelled"},
		"not for a table": {jsonl.Failure{Code: " a\x1b[31m\r\nb\u202e\xff "}, "a[31mb"},
		"only controls":   {jsonl.Failure{Class: jsonl.ClassRowError, Code: "\x00\n"}, "row_error"},
		"long":            {jsonl.Failure{Status: 400, Code: strings.Repeat("é", 80)}, "http_400 " + strings.Repeat("é", 44) + "…"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, tt.failure.Cause())
			require.LessOrEqual(t, len(tt.failure.Cause()), 100)
		})
	}
}
