package batch

import (
	"slices"
	"time"
)

// Refusal is the payload of the signal "refused": the gateway had no room for a
// holder, although the governor believed so.
type Refusal struct {
	Holder string `json:"holder"`
	// Reason is the gateway's own code, or the name of a Resource.
	Reason string `json:"reason"`
	// RetryAfter is what the gateway asked for; zero: nothing.
	RetryAfter Duration `json:"retry_after,omitempty"`
}

// RefusedResource is what a gateway was short of, by its code for it; ok is
// false for a code that says nothing about capacity.
func RefusedResource(reason string) (r Resource, ok bool) {
	switch reason {
	case "token_limit_exceeded", string(ResourceTokens):
		return ResourceTokens, true
	case "batch_limit_exceeded", string(ResourceLive):
		return ResourceLive, true
	case "batch_file_hourly_quota_exceeded", "batch_file_quota_exceeded", string(ResourceUploads):
		return ResourceUploads, true
	case "batch_file_daily_bytes_exceeded", string(ResourceUploadBytes):
		return ResourceUploadBytes, true
	case string(ResourceCreates):
		return ResourceCreates, true
	default:
		return "", false
	}
}

// Refused learns from a refusal; it tells whether there was anything to learn.
// One over what is held ends the lease, since nothing was enqueued, and lowers
// the ceiling to what the others hold. One over what is used up leaves the lease
// with its holder, which tries again, and blocks the resource for all. A holder
// without a lease teaches nothing, so a repeat is harmless.
func (l *Ledger) Refused(r Refusal, now time.Time) bool {
	i := l.lease(r.Holder)
	resource, ok := RefusedResource(r.Reason)
	if i < 0 || !ok {
		return false
	}
	switch resource {
	case ResourceUploads:
		l.Uploads.block(hourSpan, now, r.RetryAfter.Std())
	case ResourceUploadBytes:
		l.UploadBytes.block(daySpan, now, r.RetryAfter.Std())
	case ResourceCreates:
		l.Creates.block(hourSpan, now, r.RetryAfter.Std())
	case ResourceLive, ResourceTokens:
		lease := l.Leases[i]
		l.Leases = slices.Delete(l.Leases, i, i+1)
		l.lower(resource, lease, now)
	}
	return true
}

// lower sets a ceiling to what the others held, at least to one unit. Where the
// tokens are not known, batches are counted in their stead.
func (l *Ledger) lower(resource Resource, lease Lease, now time.Time) {
	if resource == ResourceTokens && lease.Tokens > 0 {
		l.Tokens.lower(now, l.Capacity.MaxEnqueuedTokens, max(l.enqueued(), lease.Tokens))
		return
	}
	l.Live.lower(now, int64(l.Capacity.MaxLive), int64(len(l.Leases)))
}
