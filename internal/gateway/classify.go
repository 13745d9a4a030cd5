package gateway

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// transientReasons look permanent by their status and are not: the gateway
// gives them for faults of its own as well.
var transientReasons = []string{
	"batch_api_feature_flag_disabled",
	"batch_webhook_endpoint_not_found_or_inactive",
	"batch_input_file_not_priceable",
	"batch_reservation_failed",
}

// beforeSubmission are the server faults that the gateway reports from steps
// that come before the provider is asked for a batch.
var beforeSubmission = []string{
	"batch_input_file_lookup_failed",
	"batch_input_file_upload_failed",
	"batch_input_file_persistence_failed",
	"workspace_policy_fetch_failed",
	"gateway_context_failed",
}

// passingFunds are the 402 reasons that end by themselves or once the key is
// mended; all others mean that there is no money.
var passingFunds = regexp.MustCompile(`^(daily|weekly|monthly)_(request|cost)s?_limit_reached$|^key_not_active$|^key_limit_soft_blocked$`)

// identifier is the form of every reason that the gateway chooses itself.
var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// classify says what an error answer means for a request that submits a batch.
func classify(e *Error) Class {
	switch {
	case e.Status == http.StatusRequestTimeout || e.Status < 400:
		return Unknown
	case e.Status >= 500:
		return classifyServerFault(e)
	case e.Status == http.StatusRequestEntityTooLarge:
		return Refused
	case e.Status == http.StatusPaymentRequired:
		if e.Code == "insufficient_funds" && !passingFunds.MatchString(e.Reason) {
			return Refused
		}
	case e.Status == http.StatusBadRequest || e.Status == http.StatusForbidden:
		if !transient(e) {
			return Refused
		}
	}
	return TryLater
}

func transient(e *Error) bool {
	if slices.Contains(transientReasons, e.Reason) {
		return true
	}
	// A reason in free text is the message of an exception in the reservation
	// step, such as a database's.
	return e.Envelope == EnvelopeA && e.Status == http.StatusBadRequest && e.Reason != "" && !identifier.MatchString(e.Reason)
}

func classifyServerFault(e *Error) Class {
	providerKey := strings.HasSuffix(e.Reason, "_key_missing") || strings.HasSuffix(e.Reason, "_credentials_unavailable")
	switch {
	case e.Envelope == EnvelopeA && e.Status == http.StatusInternalServerError:
		if providerKey || slices.Contains(beforeSubmission, e.Reason) || slices.Contains(beforeSubmission, e.Code) {
			return NothingSubmitted
		}
	case e.Envelope == EnvelopeB && e.Status == http.StatusServiceUnavailable:
		if e.Reason == "batch_submission_persistence_failed" {
			return NothingSubmitted
		}
	case e.Envelope == EnvelopeB && e.Status == http.StatusBadGateway:
		return classifyBadGateway(e, providerKey)
	case e.Status == http.StatusNotImplemented:
		return TryLater
	}
	return Unknown
}

func classifyBadGateway(e *Error, providerKey bool) Class {
	switch {
	case e.Code == "upstream_outcome_unknown":
		return Unknown
	case e.BatchID != "" && (e.Code == "async_job_persistence_failed" || e.NativeBatchID != ""):
		return Accepted
	case e.Code == "upstream_error" && (providerKey || e.Reason == "batch_file_upload_missing_id"):
		return NothingSubmitted
	default:
		return Unknown
	}
}
