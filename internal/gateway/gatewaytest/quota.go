package gatewaytest

import (
	"fmt"
	"net/http"
	"time"
)

// The gateway's upload limits: the two of its code and those of its database.
const (
	uploadCap       = 200 << 20 // of the request's body
	uploadClaimCap  = 20 << 20  // of the request's body, multipart framing included
	uploadsPerHour  = 20
	uploadBytesADay = 100 << 20
)

// upload is one claim on the upload quota.
type upload struct {
	at    time.Time
	bytes int64
}

// claimUpload takes a place in the upload quota; a failed upload keeps its place.
func (s *Server) claimUpload(size int64) (answer, bool) {
	if s.opts.WithoutQuota || s.opts.OpenAI {
		return answer{}, false
	}
	now := s.clock.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	count, bytes := 0, size
	for _, u := range s.uploads {
		if u.at.After(now.Add(-time.Hour)) {
			count++
		}
		if u.at.After(now.Add(-24 * time.Hour)) {
			bytes += u.bytes
		}
	}
	switch {
	case size > uploadClaimCap:
		return nested(http.StatusRequestEntityTooLarge, "rate_limit_error", "batch_file_too_large", "", nil), true
	case count >= uploadsPerHour:
		return nested(http.StatusTooManyRequests, "rate_limit_error", "batch_file_hourly_quota_exceeded", "", nil), true
	case bytes > uploadBytesADay:
		return nested(http.StatusTooManyRequests, "rate_limit_error", "batch_file_daily_bytes_exceeded", "", nil), true
	}
	s.uploads = append(s.uploads, upload{now, size})
	s.journal.add(Entry{Kind: KindEffect, Op: EffectUploadClaimed, Note: fmt.Sprintf("%d bytes", size)})
	return answer{}, false
}

// uploadProvider reads the hint that says whose file it is to be; without one it is OpenAI's.
func (s *Server) uploadProvider(r *http.Request) (answer, bool) {
	hint := r.URL.Query().Get("provider")
	for _, name := range []string{"X-Phaseo-Provider", "X-Ai-Stats-Provider"} {
		hint = orDefault(hint, r.Header.Get(name))
	}
	switch {
	case hint == "", hint == "openai", s.opts.OpenAI:
		return answer{}, false
	case hint == "anthropic", hint == "google-ai-studio":
		return nested(http.StatusBadRequest, "validation_error", "batch_input_mode_not_supported", "", object{"provider": hint}), true
	default:
		return nested(http.StatusForbidden, "forbidden", "batch_provider_preview_disabled", "", object{"provider": hint}), true
	}
}

// overTokenLimit tells that the live batches and one more would be too much for the provider's queue.
func (s *Server) overTokenLimit(b *batch) bool {
	if s.opts.TokenLimit <= 0 {
		return false
	}
	const bytesPerToken = 4
	s.mu.Lock()
	defer s.mu.Unlock()
	enqueued := s.files[b.inputFile].bytes
	for _, other := range s.batches {
		if f := s.files[other.inputFile]; f != nil && !terminal(other.live.status) && other.plan.outcome != statusFailed {
			enqueued += f.bytes
		}
	}
	return enqueued/bytesPerToken > s.opts.TokenLimit
}
