// Package gateway speaks to the Phaseo gateway and to any other
// OpenAI-compatible Batch API: files, batches and signed webhooks. It exists to
// keep three promises in one place: no request is ever sent twice behind its
// caller's back, a credential goes to the configured origin only, and every
// failure says whether something may have been submitted.
package gateway
