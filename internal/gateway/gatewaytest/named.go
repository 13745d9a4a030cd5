package gatewaytest

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// namedErrors are the refusals that a script can ask for by name; nothing happens behind any of them.
var namedErrors = map[string]func(*Server, Fault) answer{
	"gate_off": func(s *Server, _ Fault) answer { return s.gateClosed() },
	"db_error": func(s *Server, f Fault) answer {
		return s.flat(http.StatusUnauthorized, unauthorized, orDefault(f.Reason, "db_error"), nil)
	},
	"rate_limited": func(s *Server, f Fault) answer {
		return s.provider(http.StatusTooManyRequests, "requests", "rate_limit_exceeded", "Rate limit reached for requests.")
	},
	"key_limit_exceeded": func(s *Server, f Fault) answer { return s.keyLimit(f) },
	"insufficient_funds": func(_ *Server, f Fault) answer {
		return nested(http.StatusPaymentRequired, "insufficient_funds", orDefault(f.Reason, "insufficient_balance"),
			"The wallet cannot hold the batch's cost.", object{"reserved_nanos": 0})
	},
	"credit_check_failed": func(s *Server, f Fault) answer {
		return s.flat(http.StatusPaymentRequired, "insufficient_funds", orDefault(f.Reason, "credit_check_failed"), object{"min_usd": 1})
	},
	"not_priceable": func(s *Server, _ Fault) answer { return s.invalid("batch_input_file_not_priceable") },
	"validation_error": func(s *Server, f Fault) answer {
		return s.invalid(orDefault(f.Reason, "batch_reservation_failed"))
	},
	"guardrail_blocked": func(s *Server, f Fault) answer {
		return s.flat(http.StatusForbidden, "guardrail_blocked", f.Reason, nil)
	},
	"submission_persistence_failed": func(*Server, Fault) answer {
		return nested(http.StatusServiceUnavailable, "gateway_error", "batch_submission_persistence_failed", "The submission could not be stored.", nil)
	},
	"gateway_error": func(s *Server, f Fault) answer {
		return s.flat(http.StatusInternalServerError, "gateway_error", orDefault(f.Reason, "batch_input_file_lookup_failed"), nil)
	},
	"upstream_error": func(_ *Server, f Fault) answer {
		return nested(http.StatusBadGateway, "upstream_error", orDefault(f.Reason, "batch_file_upload_missing_id"), "", nil)
	},
	"upload_quota": func(_ *Server, f Fault) answer {
		return nested(http.StatusTooManyRequests, "rate_limit_error", orDefault(f.Reason, "batch_file_hourly_quota_exceeded"), "", nil)
	},
	"too_large": func(_ *Server, f Fault) answer {
		return nested(http.StatusRequestEntityTooLarge, "validation_error", orDefault(f.Reason, "batch_file_too_large"), "", nil)
	},
	"async_job_persistence_failed": func(*Server, Fault) answer {
		return nested(http.StatusBadGateway, "async_job_persistence_failed", "batch_refresh_failed", "", nil)
	},
	"batch_not_found": func(s *Server, _ Fault) answer {
		return s.flat(http.StatusNotFound, "not_found", "batch_not_found_or_not_owned", nil)
	},
	"file_not_found": func(s *Server, _ Fault) answer {
		return s.flat(http.StatusNotFound, "not_found", "file_not_found_or_not_owned", nil)
	},
	"provider_not_found": func(s *Server, _ Fault) answer { return s.noSuchBatch("batch_unknown") },
	"provider_error": func(s *Server, f Fault) answer {
		return s.provider(orDefault(f.Status, http.StatusInternalServerError), "server_error", f.Reason, "The server had an error.")
	},
	"text_error":   func(*Server, Fault) answer { return serverError() },
	"html_error":   func(_ *Server, f Fault) answer { return edgeError(orDefault(f.Status, http.StatusBadGateway)) },
	"redirect":     func(_ *Server, f Fault) answer { return redirect(f) },
	"webhook_gone": func(s *Server, _ Fault) answer { return s.invalid("batch_webhook_endpoint_not_found_or_inactive") },
}

// NamedErrors lists the values of the fault "named".
func NamedErrors() []string { return sortedNames(namedErrors) }

func sortedNames[T any](named map[string]T) []string { return slices.Sorted(maps.Keys(named)) }

func (s *Server) named(f Fault) answer {
	a := namedErrors[f.Value](s, f)
	if a.header == nil {
		a.header = map[string]string{}
	}
	maps.Copy(a.header, f.Header)
	return a
}

func redirect(f Fault) answer {
	a := text(orDefault(f.Status, http.StatusFound), "text/plain", "")
	a.header["Location"] = orDefault(f.Body, "http://127.0.0.1:1/elsewhere")
	return a
}

// keyLimit is the gateway's own 429; it has no Retry-After and says when the window ends.
func (s *Server) keyLimit(f Fault) answer {
	now := s.clock.now()
	reset := now.Add(orDefault(time.Duration(f.Delay), time.Minute))
	return s.flat(http.StatusTooManyRequests, "key_limit_exceeded", orDefault(f.Reason, "daily_request_limit_reached"), object{
		"now": now.Format(time.RFC3339Nano), "reset_at": reset.Format(time.RFC3339Nano), "limit_window": "daily",
		"limit_metric": "requests", "current_value": 1000, "limit_value": 1000, "buckets": []any{},
	})
}

// invalid is the gateway's refusal of a request that it understood.
func (s *Server) invalid(reason string) answer {
	return s.flat(http.StatusBadRequest, "validation_error", reason, nil)
}

// noSuchBatch is the provider's own 404, which the gateway passes on.
func (s *Server) noSuchBatch(id string) answer {
	return s.provider(http.StatusNotFound, "invalid_request_error", "", "No batch found with id '"+id+"'.")
}
