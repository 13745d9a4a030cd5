package gatewaytest

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
)

// The kinds of a journal's entries.
const (
	KindRequest = "request" // a request arrived and was read; its answer comes later or never
	KindAnswer  = "answer"  // that request was answered or dropped (then Status is 0)
	KindEffect  = "effect"  // something changed: Op says what
)

// The effects that a journal records, as an entry's Op.
const (
	EffectFileStored      = "file_stored"
	EffectUploadClaimed   = "upload_claimed"   // an upload took one of the hourly quota's places
	EffectBatchCreated    = "batch_created"    // the provider accepted a batch: it costs money
	EffectBatchRejected   = "batch_rejected"   // the provider refused for good; a hidden failed row stays
	EffectBatchUnknown    = "batch_unknown"    // a submission_unknown row stays and the provider has no batch
	EffectBatchRecovered  = "batch_recovered"  // a submission_unknown row found its batch
	EffectBatchFinished   = "batch_finished"   // a batch became terminal; Note is its status
	EffectCancelAccepted  = "cancel_accepted"  // the provider is cancelling
	EffectCancelRefused   = "cancel_refused"   // the provider answered 4xx to a cancel
	EffectWebhookSent     = "webhook_sent"     // a delivery left
	EffectWebhookAnswered = "webhook_answered" // the receiver answered; Status 0 when it did not
	EffectWebhookGivenUp  = "webhook_given_up" // four attempts were made, there will be no other
	EffectWebhookDropped  = "webhook_dropped"  // an event that is never sent
)

// Entry is one line of the journal.
type Entry struct {
	Seq       int64     `json:"seq"`
	Time      time.Time `json:"time"` // on the emulated clock
	Kind      string    `json:"kind"`
	Op        string    `json:"op"`
	Call      int64     `json:"call,omitempty"` // the request that this entry belongs to; 0 for none
	Method    string    `json:"method,omitempty"`
	Path      string    `json:"path,omitempty"`
	Status    int       `json:"status,omitempty"`
	BatchID   string    `json:"batch_id,omitempty"`
	FileID    string    `json:"file_id,omitempty"`
	SessionID string    `json:"session_id,omitempty"`
	EventID   string    `json:"event_id,omitempty"`
	Attempt   int       `json:"attempt,omitempty"`
	Note      string    `json:"note,omitempty"`
}

// journal is append-only, in memory and, where a path was given, on disk.
type journal struct {
	mu      sync.Mutex
	clock   *clock
	entries []Entry
	calls   int64
	file    *os.File
}

func newJournal(path string, c *clock) (*journal, error) {
	j := &journal{clock: c}
	if path == "" {
		return j, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.file = file
	return j, nil
}

func (j *journal) nextCall() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls++
	return j.calls
}

func (j *journal) add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Seq = int64(len(j.entries)) + 1
	e.Time = j.clock.now()
	j.entries = append(j.entries, e)
	if j.file == nil {
		return
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err != nil {
		j.file = nil // a full disk must not change what the emulator answers; the memory copy goes on
	}
}

func (j *journal) after(seq int64) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	if seq < 0 || seq >= int64(len(j.entries)) {
		if seq > 0 {
			return nil
		}
		seq = 0
	}
	return slices.Clone(j.entries[seq:])
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
}

// Journal gives every entry so far, oldest first.
func (s *Server) Journal() []Entry { return s.journal.after(0) }
