package gatewaytest

import (
	"cmp"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// list serves GET /batches from the database's copies.
func (s *Server) list(r *http.Request, due faults) answer {
	s.settleAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.OpenAI {
		return s.cursorPage(r.URL.Query(), due)
	}
	limit := pageLimit(r.URL.Query().Get("limit"))
	wanted := statusFilter(r.URL.Query())
	items := []object{}
	for _, b := range s.touched(limit, wanted) {
		if hidden(b, due) || len(items) == limit {
			continue
		}
		o := s.listItem(b)
		s.disguise(o, due)
		items = append(items, o)
	}
	return ok(page(items, due, false))
}

func page(items []object, due faults, more bool) object {
	if f, found := due.find(FaultShortPage); found && len(items) > f.Rows {
		items, more = items[:f.Rows], false
	}
	o := object{"object": "list", "data": items, "has_more": more, "first_id": nil, "last_id": nil}
	if len(items) > 0 {
		o["first_id"], o["last_id"] = items[0]["id"], items[len(items)-1]["id"]
	}
	return o
}

func hidden(b *batch, due faults) bool {
	for _, f := range due {
		if f.Kind == FaultHide && (f.Value == "" || f.Value == b.sessionID) {
			return true
		}
	}
	return false
}

// pageLimit: an absent or empty limit is one item, text is 20, numbers are cut to 1..100.
func pageLimit(raw string) int {
	n, err := strconv.ParseFloat(strings.TrimSpace(orDefault(raw, "0")), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 20
	}
	return int(min(max(math.Trunc(n), 1), 100))
}

// statusGroups are the filter's words; submitting and submission_unknown are in none of them.
var statusGroups = map[string][]string{
	"pending": {"pending", "queued", statusValidating}, "queued": {"pending", "queued", statusValidating},
	"running":     {statusInProgress, statusFinalizing, statusCancelling},
	"processing":  {statusInProgress, statusFinalizing, statusCancelling},
	"in_progress": {statusInProgress, statusFinalizing, statusCancelling},
	"cancelled":   {statusCancelled}, "canceled": {statusCancelled}, "completed": {statusCompleted},
	"failed": {statusFailed}, "expired": {statusExpired},
}

// statusFilter reads status (one word each time) and statuses (a comma list). Unknown words are dropped; with none left
// the filter is off.
func statusFilter(query url.Values) []string {
	words := slices.Clone(query["status"])
	for _, list := range query["statuses"] {
		words = append(words, strings.Split(list, ",")...)
	}
	var wanted []string
	for _, word := range words {
		wanted = append(wanted, statusGroups[strings.TrimSpace(word)]...)
	}
	return wanted
}

// touched gives the batches among the newest rows of the table that batches share with files, latest change first. The
// files among them are read and thrown away, so that a page can be short although there is more.
func (s *Server) touched(limit int, wanted []string) []*batch {
	type line struct {
		at       time.Time
		sequence int64
		batch    *batch
	}
	var lines []line
	for _, b := range s.batches {
		if len(wanted) == 0 || slices.Contains(wanted, b.row.status) {
			lines = append(lines, line{b.row.updated, b.sequence, b})
		}
	}
	if len(wanted) == 0 {
		for _, f := range s.files {
			lines = append(lines, line{f.updated, f.sequence, nil})
		}
	}
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.sequence, a.sequence))
	})
	read := min(max(3*limit, limit+50), 500, len(lines))
	var found []*batch
	for _, l := range lines[:read] {
		if l.batch != nil {
			found = append(found, l.batch)
		}
	}
	return found
}

// cursorPage is the list of plain OpenAI: newest first, a cursor, has_more.
func (s *Server) cursorPage(query url.Values, due faults) answer {
	limit, _ := number(query, "limit", 20, 1, 100)
	after := query.Get("after")
	all := s.sortedBatches()
	slices.Reverse(all)
	if after != "" {
		at := slices.IndexFunc(all, func(b *batch) bool { return b.id == after })
		if at < 0 {
			return s.provider(http.StatusBadRequest, "invalid_request_error", "", "No batch found with id '"+after+"'.")
		}
		all = all[at+1:]
	}
	items, more := []object{}, false
	for _, b := range all {
		if b.missing || b.rejected || hidden(b, due) {
			continue
		}
		if more = len(items) == limit; more {
			break
		}
		o := b.providerObject()
		s.disguise(o, due)
		items = append(items, o)
	}
	return ok(page(items, due, more))
}
